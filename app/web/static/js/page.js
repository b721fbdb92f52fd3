"use strict";
// On every public page: leaving it. The page is emptied first, and replaced in the history, so that
// Back does not bring it back. What the browser or a network has kept, no page can take away.
const LEFT = "left";
const exit = () => document.getElementById("exit");

// What this tab remembers until it is closed; nothing where the browser forbids that.
function tab(act) {
  try {
    return act(window.sessionStorage);
  } catch (error) {
    return null;
  }
}

function leave() {
  document.title = "";
  document.body.hidden = true;
  window.location.replace(exit().href);
}

// The middle button, too: it would open the other site beside this one, and leave this one open.
["click", "auxclick"].forEach((name) => {
  document.addEventListener(name, (event) => {
    if (event.button > 1 || !exit().contains(event.target)) return;
    event.preventDefault();
    tab((kept) => kept.setItem(LEFT, "yes"));
    leave();
  });
});

// Back may reach a page that was opened before the one that was left: it leads out again. Whoever
// comes by an address or a link wants to be here.
window.addEventListener("pageshow", (event) => {
  const [way] = performance.getEntriesByType("navigation");
  const isBack = event.persisted || (way && way.type === "back_forward");
  if (isBack && tab((kept) => kept.getItem(LEFT))) leave();
  else tab((kept) => kept.removeItem(LEFT));
});

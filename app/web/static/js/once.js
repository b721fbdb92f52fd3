"use strict";
// A button pressed again before its answer comes sends nothing twice. Without script, what is sent
// twice is done once all the same, and says so.
(() => {
  const SOON = 3000; // milliseconds
  const sent = new WeakMap();
  document.addEventListener("submit", (event) => {
    const before = sent.get(event.target);
    if (before !== undefined && event.timeStamp - before < SOON) event.preventDefault();
    else sent.set(event.target, event.timeStamp);
  });
})();

"use strict";
// First on the finder: the door. It is small and asked for first, so that on a slow line it can be
// pressed before the rest has come; a press is kept for `finder.js`, which it fetches together with
// the rest of the style. What lies below waits for its turn, after the door and the answer.

const DIRECTORY = "/v1/havens";
const KEPT = "havens-directory";

const isKept = navigator.serviceWorker && navigator.serviceWorker.controller;

const page = (id) => document.getElementById(id);

const door = { wasPressed: false, press: wait };

// Addresses of scripts, which a page of ours may name by this policy alone.
const policy = window.trustedTypes
  ? trustedTypes.createPolicy("havens", { createScriptURL: (address) => address })
  : { createScriptURL: (address) => address };

// The page may still come when this runs: at an offline start all else is there before.
const isRead = new Promise((come) => {
  if (document.readyState === "loading") document.addEventListener("DOMContentLoaded", come);
  else come();
});
// As far as below the door, which need not wait for the rest.
const isDoorRead = new Promise((come) => {
  isRead.then(come);
  const reading = new MutationObserver(() => {
    if (!page("elsewhere")) return;
    reading.disconnect();
    come();
  });
  reading.observe(document, { childList: true, subtree: true });
});

// The rest of the style: an answer waits for it, and what lies below the door for an answer, but no
// longer than this.
const WAIT_MS = 5000;
// On a first visit the list comes before it, or this late.
const LIST_MS = 1000;
let styled = isRead;

let words = null;
let firstDirectory = null; // the answer that is on its way when the finder begins
let lastDirectory = null; // the document that was kept, if one was and the browser lets us read it

async function readKept() {
  const answer = await caches.match(DIRECTORY, { cacheName: KEPT, ignoreVary: true });
  return answer && answer.json();
}

function addStyle(address) {
  return new Promise((come) => {
    const style = document.createElement("link");
    style.rel = "stylesheet";
    style.href = address;
    ["load", "error"].forEach((end) => style.addEventListener(end, come));
    setTimeout(come, WAIT_MS);
    document.head.append(style);
  });
}

function wait() {
  door.wasPressed = true;
  tellStart(words.loading);
}

// Below the door, and to who hears the page: once, however often it holds.
function tellStart(text) {
  page("told").textContent = text;
  if (page("spoken").textContent !== text) page("spoken").textContent = text;
}

function addFinder() {
  const script = document.createElement("script");
  script.src = policy.createScriptURL(page("first-script").dataset.then);
  // A line that broke: to press again is to try again.
  script.addEventListener("error", () => {
    isRead.then(showRest);
    if (door.wasPressed) tellStart(words.no_list);
    door.press = () => {
      door.press = wait;
      wait();
      addFinder();
    };
  });
  document.head.append(script);
}

function addDoor() {
  page("doorway").append(page("door").content.cloneNode(true));
  page("doorway").firstElementChild.addEventListener("click", () => door.press());
  page("told").textContent = words.never_see;
  page("elsewhere").classList.add("sh-later");
  setTimeout(showRest, WAIT_MS);
}

function showRest() {
  page("elsewhere").classList.remove("sh-later");
}

function fetchRest() {
  const address = page("first-script").dataset.style;
  if (address) {
    firstDirectory = fetch(DIRECTORY);
    // Whoever waits for it is told.
    const isComing = firstDirectory.catch(() => {});
    const isNext = isKept || Promise.race([isComing, new Promise((go) => setTimeout(go, LIST_MS))]);
    styled = Promise.all([Promise.resolve(isNext).then(() => addStyle(address)), isRead]);
    lastDirectory = readKept().catch(() => null);
  }
  addFinder();
}

function begin() {
  words = JSON.parse(page("words").textContent);
  if (page("start")) addDoor();
}

if (isKept || document.hidden) {
  fetchRest();
  isDoorRead.then(begin);
} else {
  // To ask for it takes an old phone a tenth of a second: the door is painted before.
  isDoorRead.then(begin).then(() => requestAnimationFrame(() => setTimeout(fetchRest)));
}

"use strict";
// First on the finder: the door. It is small and asked for first, so that on a slow line it can be
// pressed before the rest has come; a press is kept for `finder.js`, which it fetches together with
// the directory and the rest of the style.

const DIRECTORY = "/v1/havens";
const KEPT = "havens-directory";

const page = (id) => document.getElementById(id);

const door = { wasPressed: false, press: wait };

// Addresses of scripts, which a page of ours may name by this policy alone.
const policy = window.trustedTypes
  ? trustedTypes.createPolicy("havens", { createScriptURL: (address) => address })
  : { createScriptURL: (address) => address };

// The rest of the style: an answer waits for it, but no longer than this.
const STYLE_MS = 5000;
let styled = Promise.resolve();

let words = null;
let firstDirectory = null; // the answer that is on its way when the finder begins
let lastDirectory = null; // the document that was kept, if one was and the browser lets us read it

async function readKept() {
  const answer = await caches.match(DIRECTORY, { cacheName: KEPT, ignoreVary: true });
  return answer && answer.json();
}

function addStyle(address, come) {
  const style = document.createElement("link");
  style.rel = "stylesheet";
  style.href = address;
  ["load", "error"].forEach((end) => style.addEventListener(end, come));
  setTimeout(come, STYLE_MS);
  document.head.append(style);
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
    if (door.wasPressed) tellStart(words.no_list);
    door.press = () => {
      door.press = wait;
      wait();
      addFinder();
    };
  });
  document.head.append(script);
}

function begin() {
  words = JSON.parse(page("words").textContent);
  if (page("start")) {
    page("doorway").append(page("door").content.cloneNode(true));
    page("doorway").firstElementChild.addEventListener("click", () => door.press());
    page("told").textContent = words.never_see;
    styled = new Promise((come) => addStyle(page("first-script").dataset.style, come));
    firstDirectory = fetch(DIRECTORY);
    // Whoever waits for it is told.
    firstDirectory.catch(() => {});
    lastDirectory = readKept().catch(() => null);
  }
  addFinder();
}

if (document.readyState === "loading") document.addEventListener("DOMContentLoaded", begin);
else begin();

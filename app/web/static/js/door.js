"use strict";
// In the finder itself, right below the door: on a slow line it can be pressed before anything else
// has come. A press is kept for `finder.js`, which is fetched here together with the rest of the
// style. What lies below waits for its turn, after the door and the answer.

const DIRECTORY = "/v1/havens";
const KEPT = "havens-directory";

const isKept = navigator.serviceWorker && navigator.serviceWorker.controller;

const page = (id) => document.getElementById(id);

const rest = document.currentScript.dataset; // the addresses of what is fetched here

const door = { wasPressed: false, press: wait };

// Addresses of scripts, which a page of ours may name by this policy alone.
const policy = window.trustedTypes
  ? trustedTypes.createPolicy("havens", { createScriptURL: (address) => address })
  : { createScriptURL: (address) => address };

const isRead = new Promise((come) => document.addEventListener("DOMContentLoaded", come));

// The rest of the style: an answer waits for it, and what lies below the door for an answer, but no
// longer than this.
const WAIT_MS = 5000;
// What goes first holds up the rest no longer than this.
const FIRST_MS = 1000;
let styled = isRead;

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
  tellStart(page("told").dataset.loading);
}

// Below the door, and to who hears the page: once, however often it holds.
function tellStart(text) {
  page("told").textContent = text;
  if (page("spoken").textContent !== text) page("spoken").textContent = text;
}

function addFinder() {
  const script = document.createElement("script");
  script.src = policy.createScriptURL(rest.then);
  // A line that broke: to press again is to try again.
  script.addEventListener("error", () => {
    showRest();
    if (door.wasPressed) tellStart(page("told").dataset.noList);
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
  page("told").textContent = page("told").dataset.here;
  document.documentElement.classList.add("sh-door-first");
  setTimeout(showRest, WAIT_MS);
}

function showRest() {
  document.documentElement.classList.remove("sh-door-first");
}

function fetchRest() {
  if (rest.style) {
    lastDirectory = readKept().catch(() => null);
    const addRest = () => addStyle(rest.style);
    styled = Promise.all([isKept ? addRest() : fetchList().then(addRest), isRead]);
  }
  addFinder();
}

// On a first visit the list comes before its style.
function fetchList() {
  firstDirectory = fetch(DIRECTORY);
  return orLate(firstDirectory);
}

// When something has come, or has failed, of which others are told, or is late.
function orLate(coming) {
  return Promise.race([coming.catch(() => {}), new Promise((go) => setTimeout(go, FIRST_MS))]);
}

if (page("start")) addDoor();
// To ask for the rest takes an old phone a tenth of a second: the door is painted before, unless all
// of it is here already or nobody looks.
if (isKept || document.hidden) fetchRest();
else requestAnimationFrame(() => setTimeout(fetchRest));

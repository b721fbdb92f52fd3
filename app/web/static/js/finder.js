"use strict";
// The finder on the phone: it asks the phone where it is, answers from the directory that it holds,
// and keeps the answer true as the person walks and as time passes. Where the phone is stays in this
// file: no request, no address and no store ever gets it.

const REFRESH_MS = 10 * 60 * 1000;
const TICK_MS = 15 * 1000;
const REST_MS = 400; // in which an answer has its turn before what lies below it
const LATE_MS = 5 * 1000;
const FAILED_MS = 12 * 1000;
const LISTED = 5;
const FAR_M = 10 * 1000;
const HOUR_MS = 3600 * 1000;
const DAY_MS = 24 * HOUR_MS;

const language = document.documentElement.lang;

let words = null; // of an answer, from the page

const state = {
  whole: null, // the directory document, when it has come
  directory: null, // the same, made searchable
  places: null, // what it holds of places that somebody may type, once somebody has
  postcodes: null, // the service's list of them, when it has been needed
  isKept: false, // whether none came when it was last asked for: what was kept is all there is
  origin: null, // {lat, lon, name?}: a place that was typed has a name
  isLost: false, // whether the phone has since lost where it is
  needs: [], // which filters are on
  chosen: null, // the haven that is shown instead of the nearest
  streets: null, // which streets were last asked for, by the directory's name for them
  isStreetless: false, // whether they did not come
  way: null, // the haven to which the way is shown
  heading: null, // where the phone points, in degrees, if it says so
  watch: null,
  looking: [], // timers
  shown: {}, // what each part of the page shows now, to leave it alone while nothing changes
  spoken: "",
};

// --- words ---------------------------------------------------------------------------------------

function put(text, values) {
  return text.replace(/\{(\w+)\}/g, (_, name) => values[name]);
}

// In the order of the forms in a catalogue. A browser may know a category beyond those, for fractions
// or millions: the last form does for it.
const CATEGORIES = ["zero", "one", "two", "few", "many", "other"];

let rules = null; // takes long to make

function counted(key, n) {
  rules = rules || new Intl.PluralRules(language);
  const known = rules.resolvedOptions().pluralCategories;
  const index = CATEGORIES.filter((name) => known.includes(name)).indexOf(rules.select(n));
  const forms = words[key];
  return put(forms[Math.min(index, forms.length - 1)], { n });
}

// London's clock, by the law on summer time. A test holds it to the service's: the browser's own
// takes an old phone half a second to make, in which somebody waits for the answer.
const WEEKDAYS = ["Sun", "Mon", "Tue", "Wed", "Thu", "Fri", "Sat"];

// 01:00 UTC on the last Sunday of a month of 31 days.
function clockChange(year, month) {
  const last = new Date(Date.UTC(year, month, 31, 1));
  return last.getTime() - last.getUTCDay() * DAY_MS;
}

function inLondon(moment) {
  const at = new Date(moment);
  const year = at.getUTCFullYear();
  const isSummer = clockChange(year, 2) <= at && at < clockChange(year, 9);
  const there = new Date(at.getTime() + (isSummer ? HOUR_MS : 0));
  const written = there.toISOString();
  return {
    day: words[WEEKDAYS[there.getUTCDay()]],
    date: written.slice(0, 10),
    time: written.slice(11, 16),
  };
}

function withDay(moment) {
  return put(words.day_time, inLondon(moment));
}

// A moment with the day unless it is today or within 12 hours.
function local(moment, now) {
  const there = inLondon(moment);
  const isNear = there.date === inLondon(now).date || Math.abs(moment - now) < DAY_MS / 2;
  return isNear ? there.time : put(words.time_on_day, there);
}

// --- a haven in words, as app/web/cards.py makes it ---------------------------------------------

function doorState(open, now) {
  const at = (name) => ({ time: local(Date.parse(open[name]), now) });
  if (open.opens_at) return ["dark", put(words.opens_at, at("opens_at"))];
  if (open.state === "open" && open.until && open.closes_soon) {
    return ["ajar", put(words.closes_at, at("until"))];
  }
  if (open.state === "open" && open.until) return ["lit", put(words.open_until, at("until"))];
  if (open.state === "open") return ["lit", words.open_always];
  return ["dark", open.state === "closed" ? words.closed : words.hours_unknown];
}

function card(match, now) {
  const [door, text] = doorState(match.open, now);
  const dark = door === "dark";
  const phone = match.phone || "";
  const entrance = match.entrance || "";
  const eighth = ["N", "NE", "E", "SE", "S", "SW", "W", "NW"][Math.round(match.bearing_deg / 45) % 8];
  const parts = {
    id: match.id,
    name: match.name,
    // A neighbour's has no page here.
    href: match.neighbour ? directions(match) : link("/havens/" + match.id),
    kind: words[match.category],
    lit: door === "lit",
    ajar: door === "ajar",
    dark,
    drawn: door !== "lit",
    dotted: door === "lit" && entrance,
    state: text,
    state_class: dark ? "sh-state sh-state--shut" : "sh-state",
    way_class: dark ? "sh-way sh-way--shut" : "sh-way",
    line_class: dark ? "sh-next sh-next--shut" : "sh-next",
    address: match.address || "",
    postcode: match.postcode || "",
    place: match.address || match.postcode,
    entrance,
    phone,
    tel: "tel:" + phone.replace(/ /g, ""),
    directions_url: directions(match),
    can_share: Boolean(navigator.share),
    own: !match.neighbour,
    source: match.neighbour ? source(match.neighbour) : "",
    has_way: Boolean(state.whole.directory.streets),
    step_free: words["step_free_" + match.step_free],
    angela: match.schemes.some((one) => one.scheme === "ask_for_angela"),
    min: put(words.min, { n: match.walking_minutes }),
    walking: words["walking_" + match.walking],
    bearing: match.bearing_deg,
    direction: words[eighth],
  };
  match.facilities.forEach((facility) => {
    parts["has_" + facility] = true;
  });
  return parts;
}

// Whose haven it is that is not ours, and how old what they told is.
function source(neighbour) {
  const then = withDay(Date.parse(neighbour.as_of));
  return put(words.from_neighbour, { name: neighbour.name, then });
}

// The phone's own map, with the destination alone in it.
function directions(haven) {
  if (!/iPhone|iPad|Macintosh/.test(navigator.userAgent)) return haven.directions_url;
  const to = haven.location.lat.toFixed(6) + "," + haven.location.lon.toFixed(6);
  return "https://maps.apple.com/?dirflg=w&daddr=" + to;
}

// An address of ours in the language that this page's address says, if it says one.
function link(path) {
  const home = document.querySelector(".sh-name").getAttribute("href");
  return home.replace(/\/$/, "") + path;
}

// --- markup, from the page's own templates -------------------------------------------------------

function filled(id, parts) {
  const made = page(id).content.cloneNode(true);
  made.querySelectorAll("[data-if]").forEach((part) => {
    if (!parts[part.dataset.if]) part.remove();
  });
  made.querySelectorAll("[data-text]").forEach((part) => {
    part.textContent = parts[part.dataset.text];
  });
  made.querySelectorAll("[data-href]").forEach((part) => {
    part.href = parts[part.dataset.href];
  });
  made.querySelectorAll("[data-class]").forEach((part) => {
    part.className = parts[part.dataset.class];
  });
  made.querySelectorAll("[data-turn]").forEach((part) => turn(part, parts.bearing));
  made.querySelectorAll("[data-key='']").forEach((part) => {
    part.dataset.key = parts.id;
  });
  return made;
}

function turn(part, bearing) {
  part.dataset.turn = bearing;
  part.setAttribute("transform", "rotate(" + (bearing - (state.heading || 0)) + " 24 24)");
}

// --- the answer ----------------------------------------------------------------------------------

function ask(needs) {
  return nearestDoors(state.directory, {
    lat: state.origin.lat,
    lon: state.origin.lon,
    at: Date.now(),
    limit: LISTED,
    step_free: needs.includes("step_free"),
    facilities: needs.filter((need) => need !== "step_free"),
  });
}

function show() {
  if (state.directory) whenIdle(countOpen);
  if (!state.origin) return;
  if (!state.directory) {
    tellStart(state.isKept ? words.no_list : words.loading);
    return;
  }
  const now = Date.now();
  const answer = ask(state.needs);
  const cards = {};
  ["havens", "closing", "opens_next"].forEach((part) => {
    cards[part] = answer[part].map((match) => card(match, now));
  });
  const every = cards.havens.concat(cards.closing, cards.opens_next);
  const chosen = every.find((one) => one.id === state.chosen);
  const first = chosen || every[0];
  const isOpen = Boolean(every[0]) && !every[0].dark;
  const matches = answer.havens.concat(answer.closing, answer.opens_next);
  const match = first && matches.find((one) => one.id === first.id);
  const minutes = match && counted("minutes", match.walking_minutes);
  const opening = answer.opens_next[0];
  const nextTime = opening && local(Date.parse(opening.open.opens_at), now);
  const nextOpens = opening ? put(words.next_opens, { time: nextTime }) : words.none_known;
  const place = state.origin.name;
  const nowText = withDay(now);

  const view = {
    heading: chosen ? chosen.name : isOpen ? words.found : nextOpens,
    // The browser's history keeps titles: none says which door it was, or how far.
    title: isOpen ? words.found : words.none_title,
    fresh: isOpen
      ? put(place ? words.as_of : words.updated, { now: nowText, place })
      : put(words.it_is, { now: nowText }),
    notices: notices(now, match, answer.closing.includes(match)),
    without: without(answer),
    first,
    others: {},
    needs: state.needs,
  };
  Object.keys(cards).forEach((part) => {
    view.others[part] = cards[part].filter((one) => one !== first);
  });
  draw(view);
  page("way").hidden = !first || state.way !== first.id;
  if (!page("way").hidden) drawn(match, minutes);
  // Whoever saves data asks for the streets by asking for the way.
  if (!(navigator.connection && navigator.connection.saveData)) whenIdle(wantStreets);
  if (chosen) {
    say([first.name, minutes, first.direction, first.state].join(", "), first.id + first.state);
  } else if (isOpen) {
    const spoken = put(words.spoken, {
      name: first.name,
      minutes,
      direction: first.direction,
      state: first.state,
    });
    const more = view.others.havens.length;
    say(more ? spoken + " " + counted("more_below", more) : spoken, first.id + minutes);
  } else {
    say(nextOpens + " " + view.fresh, nextOpens);
  }
}

// What the filters hide: the nearest open place without them, in words.
function without(answer) {
  if (!state.needs.length || answer.havens.length || answer.closing.length) return "";
  const all = ask([]);
  const found = all.havens[0] || all.closing[0];
  if (!found) return "";
  return put(words.nearest_without, { minutes: counted("minutes", found.walking_minutes) });
}

function notices(now, match, isClosing) {
  const told = [];
  const directory = state.whole.directory;
  const then = { then: withDay(Date.parse(directory.generated_at)) };
  if (now > Date.parse(directory.confirm_by)) told.push(put(words.old, then));
  else if (state.isKept) told.push(put(words.kept, then));
  const beyond = match && match.neighbour;
  if (beyond && now > Date.parse(beyond.confirm_by)) {
    told.push(put(words.old, { then: withDay(Date.parse(beyond.as_of)) }));
  }
  if (state.isLost) told.push(words.failed);
  if (isClosing) told.push(words.closing_soon);
  if (match && match.distance_m > FAR_M) {
    told.push(put(words.far, { km: Math.round(match.distance_m / 1000) }));
  }
  return told.join(" ");
}

function draw(view) {
  const box = page("answer");
  const isFirst = box.hidden;
  const focused = document.activeElement && document.activeElement.dataset.key;
  if (!page("answer-heading")) {
    box.append(page("answer-page").content.cloneNode(true));
    box.querySelectorAll("[data-needs]").forEach((chip) => {
      chip.addEventListener("click", () => toggle(chip.dataset.needs));
    });
    page("back").addEventListener("click", back);
  }
  written(page("answer-heading"), view.heading);
  written(page("fresh"), view.fresh);
  written(page("list-age"), view.notices);
  written(page("without"), view.without);
  if (isNew("nearest", view.first)) {
    page("nearest").replaceChildren();
    if (view.first) page("nearest").append(filled("card", view.first));
    const share = box.querySelector("[data-key=share]");
    if (share) share.addEventListener("click", () => tell(view.first));
    const way = box.querySelector("[data-key=way]");
    if (way) way.addEventListener("click", () => openWay(view.first.id));
  }
  Object.keys(view.others).forEach((part) => {
    if (!isNew(part, view.others[part])) return;
    const section = page(part);
    section.hidden = !view.others[part].length;
    section.querySelector(".sh-list").replaceChildren(
      ...view.others[part].map((one) => filled("line", one))
    );
    section.querySelectorAll(".sh-next").forEach((next) => {
      next.addEventListener("click", (event) => {
        event.preventDefault();
        choose(next.dataset.key);
      });
    });
  });
  box.querySelectorAll("[data-needs]").forEach((chip) => {
    chip.setAttribute("aria-pressed", String(view.needs.includes(chip.dataset.needs)));
  });
  page("start").hidden = true;
  headPlaces(false);
  box.hidden = false;
  document.title = view.title;
  if (isFirst) {
    arrive();
    requestAnimationFrame(() => setTimeout(showRest));
  } else if (focused && document.activeElement.dataset.key !== focused) {
    const again = box.querySelector("[data-key='" + focused + "']");
    if (again) again.focus({ preventScroll: true });
  }
}

// What is as it was is not made anew each minute: somebody may be reading it, or about to press it.
function isNew(part, value) {
  const made = JSON.stringify(value) || "";
  if (state.shown[part] === made) return false;
  state.shown[part] = made;
  return true;
}

function written(part, text) {
  if (part.textContent !== text) part.textContent = text;
  part.hidden = !text;
}

function arrive() {
  window.scrollTo(0, 0);
  page("answer-heading").focus({ preventScroll: true });
}

// Another haven in place of the nearest, in the same entry of the history.
function choose(id) {
  state.chosen = id;
  state.way = null;
  show();
  arrive();
}

function back(event) {
  event.preventDefault();
  if (state.chosen) {
    choose(null);
    return;
  }
  leaveAnswer();
  headPlaces(false);
  page("start").hidden = false;
  page("told").textContent = words.never_see;
  page("doorway").firstElementChild.focus();
}

function leaveAnswer() {
  stopLooking();
  state.origin = null;
  state.chosen = null;
  state.way = null;
  state.isLost = false;
  state.spoken = "";
  page("answer").hidden = true;
}

function toggle(need) {
  const isOn = state.needs.includes(need);
  state.needs = isOn ? state.needs.filter((one) => one !== need) : state.needs.concat(need);
  state.chosen = null;
  state.way = null;
  show();
}

function tell(haven) {
  const address = [haven.address, haven.postcode].filter(Boolean).join(", ");
  navigator
    .share({
      text: put(words.share, { name: haven.name, address, state: haven.state }),
      url: new URL(haven.href, window.location.href).href,
    })
    // Whoever closes the sheet has changed their mind: that is no fault.
    .catch(() => {});
}

// Read out by screen readers, once for each change that matters to somebody who walks.
function say(text, key) {
  if (state.spoken === (key || text)) return;
  state.spoken = key || text;
  page("spoken").textContent = text;
}

// --- where the phone is --------------------------------------------------------------------------

function look() {
  leaveAnswer();
  if (!navigator.geolocation) {
    unplaced(words.absent);
    return;
  }
  if (!state.directory && state.isKept) {
    state.isKept = false;
    loadDirectory();
  }
  headPlaces(false);
  page("start").hidden = false;
  state.looking = [
    setTimeout(tellStart, 400, words.looking),
    setTimeout(tellStart, LATE_MS, words.still_looking),
    setTimeout(unplaced, FAILED_MS, words.failed),
  ];
  followCompass();
  state.watch = navigator.geolocation.watchPosition(placed, notPlaced, {
    enableHighAccuracy: true,
    maximumAge: 10000,
    timeout: FAILED_MS,
  });
}

function placed(position) {
  state.looking.forEach(clearTimeout);
  state.origin = { lat: position.coords.latitude, lon: position.coords.longitude };
  state.isLost = false;
  show();
}

function notPlaced(error) {
  // One that fails later leaves the last answer standing, and says that it is the last.
  if (state.origin) {
    state.isLost = true;
    show();
    return;
  }
  unplaced(error.code === error.PERMISSION_DENIED ? words.refused : words.failed);
}

function stopLooking() {
  state.looking.forEach(clearTimeout);
  if (state.watch !== null) navigator.geolocation.clearWatch(state.watch);
  state.watch = null;
}

function unplaced(reason) {
  stopLooking();
  showRest();
  page("start").hidden = true;
  page("answer").hidden = true;
  page("allow").hidden = reason !== words.refused;
  page("again").hidden = reason !== words.failed;
  written(page("place-reason"), reason);
  headPlaces(true);
  document.title = words.place_instead;
  say(words.place_instead + " " + reason);
  page("instead").focus();
}

// The form is one way among others, or all there is.
function headPlaces(isAll) {
  page("instead").hidden = !isAll;
  page("other-ways").hidden = isAll;
}

// The compass, where the phone has one and lets us: the arrow then points where to go, however the
// phone is held. An iPhone asks, and only during a press.
function followCompass() {
  const Compass = window.DeviceOrientationEvent;
  if (!Compass) return;
  const follow = () => {
    ["deviceorientationabsolute", "deviceorientation"].forEach((name) => {
      window.addEventListener(name, pointed);
    });
  };
  if (Compass.requestPermission) {
    Compass.requestPermission().then((answer) => answer === "granted" && follow(), () => {});
  } else follow();
}

function pointed(event) {
  const north = event.absolute && event.alpha !== null ? 360 - event.alpha : null;
  const top = "webkitCompassHeading" in event ? event.webkitCompassHeading : north;
  if (top === null) return;
  // The compass means the top of the phone; the arrow, that of the page, which may lie on its side.
  const heading = (top + (screen.orientation ? screen.orientation.angle : 0)) % 360;
  const by = Math.abs(((heading - (state.heading || 0) + 540) % 360) - 180);
  if (by < 10) return;
  state.heading = heading;
  document.querySelectorAll("#answer [data-turn]").forEach((part) => {
    turn(part, Number(part.dataset.turn));
  });
}

// --- a place that is typed -----------------------------------------------------------------------

async function typed(event) {
  if (!state.directory) return; // the form goes to the service
  event.preventDefault();
  const text = page("place").value.trim();
  page("choices").hidden = true;
  if (!text) {
    written(page("place-reason"), words.place_empty);
    page("place").focus();
    return;
  }
  if (lacksPostcode(places(), text)) await knowPostcodes();
  const found = findPlaces(places(), text);
  if (found.places.length === 1 && !found.guessed) {
    seenFrom(found.places[0]);
    return;
  }
  const isSure = found.places.length && !found.guessed;
  const key = isSure ? "place_several" : found.places.length ? "place_meant" : "place_unknown";
  written(page("place-reason"), put(words[key], { text }));
  page("choices").replaceChildren(
    ...found.places.map((place) => {
      const made = filled("choice", place);
      made.querySelector("button").addEventListener("click", () => seenFrom(place));
      return made;
    })
  );
  page("choices").hidden = !found.places.length;
  say(put(words[key], { text }));
}

function places() {
  if (!state.places) {
    state.places = readPlaces(state.whole.havens);
    if (state.postcodes) addPostcodes(state.places, state.postcodes);
  }
  return state.places;
}

// The list of all of the area, where there is one: asked for when first needed, the same for whatever
// was typed, and kept for when there is no connection.
async function knowPostcodes() {
  const address = page("place-form").dataset.postcodes;
  if (!address || state.postcodes) return;
  const store = window.caches ? await caches.open(KEPT).catch(() => null) : null;
  const before = store && (await store.match(address, { ignoreVary: true }));
  try {
    const answer = before || (await soon(fetch(address)));
    if (!answer.ok) return;
    const copy = answer.clone();
    state.postcodes = await answer.json();
    if (store && !before) {
      // In the place of a list from before.
      await store.delete(address, { ignoreSearch: true, ignoreVary: true });
      store.put(address, copy).catch(() => {});
    }
    state.places = null;
  } catch (error) {
    // The district does instead.
  }
}

// What is asked for, if it comes before a person would think that nothing happens.
function soon(coming) {
  return Promise.race([
    coming,
    new Promise((_, fail) => {
      setTimeout(() => fail(new Error("late")), LATE_MS);
    }),
  ]);
}

function seenFrom(place) {
  page("choices").hidden = true;
  page("place-reason").hidden = true;
  leaveAnswer();
  state.origin = place;
  show();
}

// --- the directory -------------------------------------------------------------------------------

async function loadDirectory() {
  // Nobody waits for ever: what comes later than this is shown when it comes.
  const late = setTimeout(notCome, FAILED_MS);
  try {
    const coming = firstDirectory || fetch(DIRECTORY);
    firstDirectory = null;
    const answer = await coming;
    if (!answer.ok) throw new Error(String(answer.status));
    const copy = answer.clone();
    const whole = await answer.json();
    state.isKept = false;
    hold(whole);
    keep(copy).catch(() => {});
  } catch (error) {
    await lastDirectory;
    notCome();
  } finally {
    clearTimeout(late);
  }
}

// A phone that is full keeps nothing, nor does one whose browser forbids it; both find the door.
async function keep(answer) {
  const store = await caches.open(KEPT);
  await store.put(DIRECTORY, answer);
}

function notCome() {
  state.isKept = true;
  show();
}

function hold(whole) {
  const streets = state.directory && state.directory.streets;
  state.whole = whole;
  state.directory = readDirectory(whole);
  if (state.isStreetless) state.streets = null;
  // Those from before serve until there are newer ones.
  if (streets && whole.directory.streets) tieHavens(state.directory, streets);
  state.places = null;
  document.documentElement.dataset.directory = "ready";
  page("place-sent").hidden = true;
  show();
}

// How many doors of each ward are open. The page itself doesn't say: it would change all the time.
function countOpen() {
  const now = Date.now();
  const isOpen = (haven) => stateOfHaven(state.directory, haven.id, now).state === "open";
  document.querySelectorAll("[data-ward]").forEach((part) => {
    const inside = state.whole.havens.filter((haven) => haven.ward === part.dataset.ward);
    written(part, counted("open_now", inside.filter(isOpen).length));
  });
}

// --- the streets ---------------------------------------------------------------------------------

// They come after an answer, when the phone has nothing else to do; from then on it is given over
// them. What reads them, finds ways and draws them comes with them: `streets.js`, `steps.js` and
// `way.js`.
function wantStreets() {
  const name = state.whole.directory.streets;
  if (!name || state.streets === name) return;
  state.streets = name;
  state.isStreetless = false;
  addStreets()
    .then(() => fetchStreets(name))
    .then((streets) => {
      tieHavens(state.directory, streets);
      show();
    })
    .catch(() => {
      // They are tried again when the list comes again, or somebody asks for the way.
      state.isStreetless = true;
      if (state.way) show();
    });
}

function whenIdle(run) {
  if (window.requestIdleCallback) window.requestIdleCallback(run);
  else setTimeout(run);
}

let streetsAdded = null;

function addStreets() {
  if (!streetsAdded) {
    const { streets, streetsStyle } = page("answer").dataset;
    streetsAdded = new Promise((come, fail) => {
      const script = document.createElement("script");
      script.src = policy.createScriptURL(streets);
      script.addEventListener("load", come);
      script.addEventListener("error", fail);
      document.head.append(script);
      addStyle(streetsStyle);
    });
    streetsAdded.then(() => keepFiles([streets, streetsStyle]), () => {
      streetsAdded = null;
    });
  }
  return streetsAdded;
}

function openWay(id) {
  // As somebody follows it, it must not become the way to another one.
  state.chosen = id;
  state.way = id;
  if (state.isStreetless) state.streets = null;
  wantStreets();
  show();
  page("way-heading").focus();
}

function drawn(match, minutes) {
  const { streets, entries } = state.directory;
  written(page("way-heading"), put(words.way, { minutes }));
  const isStepFree = state.needs.includes("step_free");
  // Within ten metres it is as it was.
  const from = [state.origin.lat.toFixed(4), state.origin.lon.toFixed(4)];
  if (streets && isNew("way", [match.id, from, isStepFree, streets.about.source])) {
    const phrases = JSON.parse(page("phrases").textContent);
    const entry = entries.find((one) => one.haven.id === match.id);
    page("way-shown").hidden = !fillWay(streets, state.origin, entry, isStepFree, words, phrases);
  }
  const without = state.isStreetless ? words.no_streets : words.way_loading;
  const isKnown = streets && !page("way-shown").hidden;
  written(page("way-told"), isKnown ? "" : streets ? words.no_way : without);
}

// --- beginning -----------------------------------------------------------------------------------

// So that the finder starts without a connection, too; when what is asked for now has come.
function keepOffline() {
  if (!navigator.serviceWorker) return;
  navigator.serviceWorker.register(policy.createScriptURL("/worker.js")).catch(() => {});
  navigator.serviceWorker.ready.then((found) => {
    found.active.postMessage(window.location.pathname);
  });
}

function keepFiles(addresses) {
  if (!navigator.serviceWorker) return;
  navigator.serviceWorker.ready.then((found) => {
    addresses.forEach((address) => found.active.postMessage(address));
  });
}

function begun() {
  const kept = lastDirectory.then((whole) => whole && !state.directory && hold(whole));
  // An answer from what is kept comes before anything is asked for.
  (isKept ? orLate(kept) : Promise.resolve()).then(loadDirectory).then(keepOffline);
  styled.then(() => {
    door.press = look;
    page("again").addEventListener("click", look);
    page("place-form").addEventListener("submit", typed);
    if (door.wasPressed) look();
    setTimeout(showRest, REST_MS);
  });
  setInterval(show, TICK_MS);
  setInterval(loadDirectory, REFRESH_MS);
  window.addEventListener("online", loadDirectory);
  document.addEventListener("visibilitychange", () => {
    if (!document.hidden) {
      show();
      loadDirectory();
    }
  });
}

isRead.then(() => {
  words = JSON.parse(page("words").textContent);
  if (page("start")) begun();
  else keepOffline();
});

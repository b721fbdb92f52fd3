// The steps of a way on foot, as `app/walking/steps.py` has them, line by line, and in words, as
// `app/walking/wording.py` puts them: a test holds them together.
"use strict";

const SHORT_CM = { street: 500, path: 1500, square: 1500, bridge: 1500, tunnel: 1500, off: 1500 };
const LEAST_DOOR_CM = 1500;
const LOOK_M = 10;
const STRAIGHT = 30, BEAR = 60, BACK = 160;
const HERE_M = 2;
const NORTH_M = 0.111195;
const HEADINGS = ["N", "NE", "E", "SE", "S", "SW", "W", "NW"];

const IS_HIDDEN_WAY = 2, IS_SQUARE = 4, HAS_STAIRS = 8, LEADS_UP = 16, LEADS_DOWN = 32;
const IS_BRIDGE = 64, IS_BARE = 128;

// What an edge of a kind and a name is to who walks it, maybe against its direction.
function courseOf(kind, name, isBackwards) {
  if (kind & HAS_STAIRS) {
    if (!(kind & (LEADS_UP | LEADS_DOWN))) return "steps";
    return Boolean(kind & LEADS_UP) !== isBackwards ? "steps_up" : "steps_down";
  }
  if (name) return "street";
  if (kind & IS_SQUARE) return "square";
  if (kind & IS_HIDDEN_WAY && !(kind & IS_BARE)) return "tunnel";
  return kind & IS_BRIDGE ? "bridge" : "path";
}

// The steps from where somebody stands, so far off the streets, to a door so far off them, by the
// legs between: {course, name, points, cm}.
function stepsOf(start, startCm, legs, door, doorCm) {
  const toStreet = { course: "off", name: "", points: [start, legs[0].points[0]], cm: startCm };
  const whole = [toStreet].concat(legs).filter((leg) => leg.cm > 0);
  const found = [];
  let before = [0, 0];
  for (const { course, name, points, cm } of joinedLegs(toldLegs(whole))) {
    const ahead = vectorOf(points, false);
    found.push(found.length
      ? { turn: turnOf(before, ahead), heading: "", course, name, cm, begins: points[0] }
      : { turn: "head", heading: headingOf(ahead), course, name, cm, begins: start });
    before = vectorOf(points, true);
  }
  const last = legs[legs.length - 1].points, end = last[last.length - 1];
  const turn = doorSide(before, vectorOf([end, door], false));
  return found.concat({ turn, heading: "", course: null, name: "", cm: doorCm, begins: end });
}

// The legs without what is too short to be told, whose length goes to the leg before it, or to the
// first. What is walked last is always told.
function toldLegs(legs) {
  const told = [];
  let carried = 0;
  for (let first = 0, end; first < legs.length; first = end) {
    const { course, name } = legs[first];
    let total = 0;
    for (end = first; end < legs.length && isAlike(legs[end], legs[first]); end++) {
      total += legs[end].cm;
    }
    if (total < (SHORT_CM[course] || 0) && end < legs.length) {
      if (told.length) told.push(longer(told.pop(), total));
      else carried += total;
    } else {
      told.push(longer(legs[first], carried), ...legs.slice(first + 1, end));
      carried = 0;
    }
  }
  return told;
}

const isAlike = (leg, other) => leg.course === other.course && leg.name === other.name;

const longer = (leg, cm) => Object.assign({}, leg, { cm: leg.cm + cm });

// The legs, each with those after it that simply go on.
function joinedLegs(legs) {
  const joined = [];
  for (const leg of legs) {
    const last = joined[joined.length - 1];
    if (last && isAlike(last, leg) && goesOn(last, leg)) {
      const points = last.points.concat(leg.points);
      joined[joined.length - 1] = Object.assign(longer(last, leg.cm), { points });
    } else joined.push(leg);
  }
  return joined;
}

// Whether nobody need be told of a turn between two legs of one course and name.
function goesOn(leg, onward) {
  if (["steps", "steps_up", "steps_down"].includes(leg.course)) return true;
  const angle = angleOf(vectorOf(leg.points, true), vectorOf(onward.points, false));
  // Along a street one stays on it where it bends; a path has nothing to be known by.
  return Math.abs(angle) < (leg.name ? BEAR : STRAIGHT);
}

function turnOf(before, ahead) {
  const angle = angleOf(before, ahead), by = Math.abs(angle);
  if (by < STRAIGHT) return "straight";
  if (by < BEAR) return angle > 0 ? "bear_left" : "bear_right";
  if (by < BACK) return angle > 0 ? "left" : "right";
  return "back";
}

function doorSide(before, ahead) {
  if (ahead[0] ** 2 + ahead[1] ** 2 < HERE_M ** 2) return "door_here";
  const angle = angleOf(before, ahead);
  if (Math.abs(angle) < STRAIGHT) return "door_ahead";
  return angle > 0 ? "door_left" : "door_right";
}

function headingOf(ahead) {
  const clockwise = Math.atan2(ahead[0], ahead[1]) / (Math.PI / 180);
  return HEADINGS[(Math.floor(clockwise / 45 + 0.5) + 8) % 8];
}

// By how many degrees one turns, to the left if positive.
function angleOf(before, ahead) {
  const cross = before[0] * ahead[1] - before[1] * ahead[0];
  const along = before[0] * ahead[0] + before[1] * ahead[1];
  return Math.atan2(cross, along) / (Math.PI / 180);
}

// In which direction a line begins or, at its end, goes: metres east and north.
function vectorOf(points, isEnd) {
  const line = isEnd ? points.slice().reverse() : points;
  const narrows = Math.cos((line[0][1] / 1e6) * (Math.PI / 180));
  let east = 0, north = 0;
  for (const [lon, lat] of line.slice(1)) {
    east = (lon - line[0][0]) * narrows * NORTH_M;
    north = (lat - line[0][1]) * NORTH_M;
    if (east ** 2 + north ** 2 >= LOOK_M ** 2) break;
  }
  return isEnd ? [-east, -north] : [east, north];
}

// --- in words

function stepInWords({ turn, heading, course, name, cm }, phrases) {
  const metres = String(toldMetres(cm));
  // A function, as a dollar in what is put in would mean something.
  const fill = (text, key, value) => text.replace("{" + key + "}", () => value);
  if (course === null) {
    if (cm < LEAST_DOOR_CM) return phrases[turn];
    return fill(fill(phrases.door, "door", phrases[turn]), "metres", metres);
  }
  const isInto = course === "street" && !["head", "straight", "back"].includes(turn);
  const begin = heading ? fill(phrases[turn], "heading", phrases[heading]) : phrases[turn];
  const words = fill(fill(phrases.step, "turn", begin), "metres", metres);
  // The name last, whatever stands in it.
  return fill(fill(words, "course", phrases[isInto ? "into" : course]), "street", name);
}

// A length as it is told: to 5 m, from 100 m to 10 m, and never nothing.
function toldMetres(cm) {
  const unit = cm >= 10000 ? 1000 : 500;
  return Math.max(Math.floor((cm + unit / 2) / unit), 1) * (unit / 100);
}

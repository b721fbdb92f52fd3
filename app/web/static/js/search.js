// The search for the nearest havens, on the phone: where somebody stands never leaves it.
//
// It answers from the directory document (`GET /v1/havens`) as `/v1/havens/nearest` does, by the
// rules that `app/directory/rules.py` begins with, and a test holds it to that. No phone is too
// slow to look through a few hundred havens one by one.
"use strict";

const MARGIN = 5 * 60;
const NEAR_M = 2000;
const CLOSES_SOON = 30 * 60;
const METRES_A_MINUTE = 80;
const EARTH_RADIUS_M = 6371008.77;

// The directory document made searchable: its instants as seconds since 1970, in which everything
// below counts, and each haven with its place on the unit sphere. Read once, asked often.
function readDirectory(whole) {
  const seconds = (written) => Date.parse(written) / 1000;
  const spans = (written) => written && written.map((s) => [seconds(s.from), seconds(s.until)]);
  const entries = (side, told, label) => told.havens.concat(told.upcoming).map((haven) => ({
    side,
    haven: Object.assign({}, label, haven),
    place: pointOnSphere(haven.location.lat, haven.location.lon),
    availability: spans(haven.availability),
    listed: spans(haven.listed),
  }));
  const covered = (told) => ({
    start: seconds(told.valid_from),
    horizon: seconds(told.valid_until),
  });
  const own = covered(whole.directory);
  return Object.assign(own, {
    minutesPerM: whole.directory.walking_factor / METRES_A_MINUTE,
    entries: entries(own, whole),
    // What neighbours tell, each haven with whose it is, and for which time that is known.
    beyond: (whole.neighbours || []).flatMap((told) => entries(covered(told), told, {
      neighbour: { name: told.name, as_of: told.as_of, confirm_by: told.confirm_by },
    })),
  });
}

// The answer to {lat, lon, at, limit, facilities, step_free, max_distance_m}, as the service gives
// it: `havens`, `closing` and `opens_next`, each haven with what the document says of it; `beyond`,
// where there are neighbours, has those of theirs that would be in it if they were ours. `at` is in
// milliseconds since 1970, as `Date.now()` gives; what is left out is as in the service.
function nearestHavens(directory, question) {
  const answer = nearestAmong(directory, directory.entries, question);
  if (directory.beyond.length) {
    const all = nearestDoors(directory, question);
    answer.beyond = {};
    Object.keys(all).forEach((part) => {
      answer.beyond[part] = all[part].filter((haven) => haven.neighbour);
    });
  }
  return answer;
}

// The same with ours and theirs in one.
function nearestDoors(directory, question) {
  return nearestAmong(directory, directory.entries.concat(directory.beyond), question);
}

function nearestAmong(directory, entries, question) {
  const at = Math.floor(question.at / 1000);
  const limit = question.limit || 5;
  const reach = question.max_distance_m || Infinity;
  const origin = pointOnSphere(question.lat, question.lon);
  const havens = [], closing = [], waiting = [];
  for (const entry of covers(directory, at) ? entries : []) {
    if (!covers(entry.side, at)) continue;
    if (!entry.availability || !provides(entry.haven, question)) continue;
    const metres = metresBetween(origin, entry.place);
    const minutes = Math.ceil(metres * directory.minutesPerM);
    const arrival = at + 60 * minutes;
    const match = { entry, metres, minutes, until: openUntil(entry.availability, at), rank: 0 };
    if (match.until > arrival) {
      if (metres <= reach) (match.until >= arrival + MARGIN ? havens : closing).push(match);
    } else if (!entry.listed || openUntil(entry.listed, at)) {
      // The first opening after `at` that somebody who arrives then does not find over.
      const opening = entry.availability.find(([start, end]) => start > at && end > arrival);
      const rank = opening && Math.max(opening[0], arrival);
      if (opening) waiting.push(Object.assign(match, { opensAt: opening[0], rank }));
    }
  }
  const nearest = havens.sort(inOrder).slice(0, limit);
  const near = nearest.filter((match) => match.metres <= NEAR_M).length;
  // Nobody goes far, past as many open doors as they asked for, to one about to shut.
  const far = nearest.length < limit ? Infinity : Math.max(NEAR_M, nearest[limit - 1].metres);
  const shutting = closing.filter((match) => match.metres <= far).sort(inOrder).slice(0, limit);
  const next = near < limit ? waiting.sort(inOrder).slice(0, limit) : [];
  const shown = ({ entry, metres, minutes, until, opensAt }) => Object.assign({
    distance_m: Math.round(metres),
    bearing_deg: bearing(question, entry.haven.location),
    walking_minutes: minutes,
    open: openState(entry.side, at, until, opensAt),
  }, entry.haven);
  return { havens: nearest.map(shown), closing: shutting.map(shown), opens_next: next.map(shown) };
}

// Whether a haven is open at an instant in milliseconds, as `GET /v1/havens/{id}` says `open`.
function stateOfHaven(directory, id, milliseconds) {
  const at = Math.floor(milliseconds / 1000);
  const entry = directory.entries.find((one) => one.haven.id === id);
  if (!entry || !entry.availability || !covers(directory, at)) return { state: "unknown" };
  const next = entry.availability.find(([start]) => start > at);
  const until = openUntil(entry.availability, at);
  return openState(directory, at, until, until || !next ? 0 : next[0]);
}

// Where the horizon cuts an opening off, nobody knows that it closes then.
function openState(side, at, until, opensAt) {
  const written = (second) => new Date(1000 * second).toISOString().replace(".000Z", "Z");
  const state = { state: until ? "open" : "closed" };
  const isKnown = until && until < side.horizon;
  if (isKnown) state.until = written(until);
  if (until) state.closes_soon = isKnown && until <= at + CLOSES_SOON;
  if (opensAt) state.opens_at = written(opensAt);
  return state;
}

const covers = (side, at) => side.start <= at && at < side.horizon;

// When the span ends that an instant lies in; 0 when it lies in none.
function openUntil(spans, at) {
  const current = spans.find(([start, end]) => start <= at && at < end);
  return current ? current[1] : 0;
}

const provides = (haven, { facilities = [], step_free: stepFree = false }) =>
  facilities.every((one) => haven.facilities.includes(one)) &&
  (!stepFree || haven.step_free === "yes");

const inOrder = (a, b) =>
  a.rank - b.rank || a.metres - b.metres || (a.entry.haven.id < b.entry.haven.id ? -1 : 1);

const radians = (degrees) => degrees * (Math.PI / 180);

function pointOnSphere(lat, lon) {
  const phi = radians(lat), turn = radians(lon);
  return [Math.cos(phi) * Math.cos(turn), Math.cos(phi) * Math.sin(turn), Math.sin(phi)];
}

// The way over the earth between two points, not rounded: order, minutes and limits go by it.
function metresBetween(from, to) {
  const x = to[0] - from[0], y = to[1] - from[1], z = to[2] - from[2];
  return 2 * EARTH_RADIUS_M * Math.asin(Math.min(Math.sqrt(x * x + y * y + z * z) / 2, 1));
}

// The direction in which the shortest way begins, in whole degrees clockwise from north.
function bearing(from, to) {
  const phi = radians(from.lat), toPhi = radians(to.lat), turn = radians(to.lon - from.lon);
  const east = Math.sin(turn) * Math.cos(toPhi);
  const north = Math.cos(phi) * Math.sin(toPhi) - Math.sin(phi) * Math.cos(toPhi) * Math.cos(turn);
  return (Math.round(Math.atan2(east, north) / (Math.PI / 180)) + 360) % 360;
}

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

// A way over the streets is as long as the crow's flight at least, but for what rounding and the
// flat map of an edge may take from it.
const SHRUNK = 1 - 1e-5, SLACK_M = 0.05;

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
    factor: whole.directory.walking_factor,
    minutesPerM: whole.directory.walking_factor / METRES_A_MINUTE,
    streets: null, // as `streets.js` reads them, once it has
    entries: entries(own, whole),
    // What neighbours tell, each haven with whose it is, and for which time that is known.
    beyond: (whole.neighbours || []).flatMap((told) => entries(covered(told), told, {
      neighbour: { name: told.name, as_of: told.as_of, confirm_by: told.confirm_by },
    })),
  });
}

// So that what is asked next is answered over the streets, as `streets.js` reads them.
function tieHavens(directory, streets) {
  directory.streets = streets;
  directory.entries.forEach((entry) => {
    const { location, address } = entry.haven;
    entry.tie = tiedTo(streets, location.lat, location.lon, address);
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
  const walk = walkFrom(directory, question);
  const candidates = [];
  for (const entry of covers(directory, at) ? entries : []) {
    if (!covers(entry.side, at)) continue;
    if (!entry.availability || !provides(entry.haven, question)) continue;
    const metres = metresBetween(origin, entry.place);
    const way = walk.least(metres);
    const arrival = at + 60 * walk.leastMinutes(metres);
    const until = openUntil(entry.availability, at);
    candidates.push({ entry, metres, way, arrival, until, rank: 0 });
  }
  // Who comes up is looked at on foot, unless that is farther than `most`, or than anybody walks in
  // so many seconds, and a metre for what rounding does.
  const onFoot = (candidate, most, seconds) => {
    const way = walk.to(candidate, Math.min(most, METRES_A_MINUTE * Math.floor(seconds / 60) + 1));
    return way && Object.assign({}, candidate, way, { arrival: at + 60 * way.minutes });
  };
  const open = candidates.filter(({ until, arrival, metres }) =>
    until > arrival && metres <= reach);
  const lasting = open.filter(({ until, arrival }) => until >= arrival + MARGIN);
  const havens = best(lasting, limit, (candidate, most) => {
    const match = onFoot(candidate, most, candidate.until - MARGIN - at);
    return match && match.until >= match.arrival + MARGIN && match;
  });
  // Nobody goes far, past as many open doors as they asked for, to one about to shut.
  const farthest = havens.length < limit ? Infinity : havens[limit - 1].way;
  const short = open.filter(({ until, metres }) =>
    until < at + 60 * walk.mostMinutes(metres) + MARGIN);
  const closing = best(short, limit, (candidate, most) => {
    const { metres, until } = candidate;
    const match = onFoot(candidate, metres > NEAR_M ? Math.min(most, farthest) : most, until - at);
    return match && until > match.arrival && until < match.arrival + MARGIN && match;
  });
  const near = havens.filter((match) => match.metres <= NEAR_M).length;
  const listed = near < limit ? candidates.filter(({ entry }) =>
    !entry.listed || openUntil(entry.listed, at)) : [];
  const waiting = listed.map((candidate) => opensFor(candidate, at)).filter(Boolean);
  const next = best(waiting, limit, (candidate, most) => {
    const match = onFoot(candidate, most, Infinity);
    return match && match.until <= match.arrival && opensFor(match, at);
  });
  const shown = ({ entry, metres, minutes, walking, until, opensAt }) => Object.assign({
    distance_m: Math.round(metres),
    bearing_deg: bearing(question, entry.haven.location),
    walking_minutes: minutes,
    walking,
    open: openState(entry.side, at, until, opensAt),
  }, entry.haven);
  return { havens: havens.map(shown), closing: closing.map(shown), opens_next: next.map(shown) };
}

// A candidate with its first opening after an instant that somebody who arrives then does not find
// over, and ranked by when it can be entered; nothing without one.
function opensFor(candidate, at) {
  const { entry, arrival } = candidate;
  const opening = entry.availability.find(([start, end]) => start > at && end > arrival);
  if (!opening) return null;
  return Object.assign({}, candidate, { opensAt: opening[0], rank: Math.max(opening[0], arrival) });
}

// The first so many of some candidates by rank, way on foot and id. Each comes with a rank and a
// way that it can't beat; `look` tells where it stands, or nothing when it is of another kind or,
// at that rank, farther than `most`. So nobody works out ways that are too long to count.
function best(candidates, limit, look) {
  const found = [];
  for (const candidate of candidates.sort((a, b) => a.rank - b.rank || a.way - b.way)) {
    const last = found.length < limit ? null : found[limit - 1];
    if (last && (candidate.rank - last.rank || candidate.way - last.way) > 0) break;
    const match = look(candidate, last && candidate.rank === last.rank ? last.way : Infinity);
    if (!match) continue;
    found.push(match);
    found.sort(inOrder).splice(limit);
  }
  return found;
}

// How far havens are on foot from where somebody asks: over the streets where both are on them,
// else by the estimate.
function walkFrom(directory, question) {
  const { streets, factor, minutesPerM } = directory;
  const tie = streets && tiedTo(streets, question.lat, question.lon);
  const estimate = (metres) => ({
    way: metres * factor,
    minutes: Math.ceil(metres * minutesPerM),
    walking: "estimate",
  });
  if (!tie) {
    return {
      least: (metres) => metres * factor,
      leastMinutes: (metres) => Math.ceil(metres * minutesPerM),
      mostMinutes: (metres) => Math.ceil(metres * minutesPerM),
      to: ({ metres }, most) => (metres * factor <= most ? estimate(metres) : null),
    };
  }
  const ways = waysFrom(streets, tie, Boolean(question.step_free));
  const least = (metres) => Math.max(metres - SLACK_M, 0) * SHRUNK;
  return {
    least,
    leastMinutes: (metres) => Math.ceil(least(metres) / METRES_A_MINUTE),
    mostMinutes: (metres) => Math.max(estimate(metres).minutes, ways.mostMinutes),
    to({ metres, entry }, most) {
      let way = estimate(metres);
      if (entry.tie) {
        // Where no way is known, it is taken to be as long as any can be.
        const cm = ways.to(entry.tie, 100 * most < ways.noWay ? 100 * most : Infinity);
        if (cm < Infinity) {
          way = { way: cm / 100, minutes: minutesOf(cm), walking: "streets" };
        } else {
          way.way = Math.max(way.way, ways.noWay / 100);
          way.minutes = Math.max(way.minutes, minutesOf(ways.noWay));
        }
      }
      return way.way <= most ? way : null;
    },
  };
}

const minutesOf = (cm) => Math.ceil(cm / (100 * METRES_A_MINUTE));

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
  a.rank - b.rank || a.way - b.way || (a.entry.haven.id < b.entry.haven.id ? -1 : 1);

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

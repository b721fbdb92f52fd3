// The way to a haven, drawn and told on the phone: no map, no tiles, and nobody is asked for any.
//
// `finder.js` fetches this file together with `streets.js` and `steps.js` when an answer is there.
"use strict";

const SVG = "http://www.w3.org/2000/svg";
const DRAWN_WIDE = 440, LEAST_HIGH = 300, MOST_HIGH = 440;
const STREET_M = 7;
const LETTER = 9; // about as wide as one of a label is
const LEAST_M = 120; // so much of the surroundings is drawn however short the way is

// --- the file

// The streets of a name, as they were kept on this phone or as they come. Throws where they don't.
async function fetchStreets(name) {
  const address = "/v1/streets?of=" + name;
  const store = window.caches ? await caches.open(KEPT).catch(() => null) : null;
  const before = store && (await store.match(address, { ignoreVary: true }));
  const answer = before || (await fetch(address));
  if (!answer.ok) throw new Error(String(answer.status));
  const copy = answer.clone();
  const streets = readStreets(await answer.arrayBuffer());
  if (store && !before) {
    // In the place of those from before.
    await store.delete("/v1/streets", { ignoreSearch: true, ignoreVary: true });
    store.put(address, copy).catch(() => {});
  }
  return streets;
}

// --- the way

// The shortest way between two ties as {legs, cm}, the legs as `stepsOf` takes them; null when no
// way is known.
function wayBetween(streets, start, end, stepFree) {
  const { tails, heads, lengths } = streets;
  const ways = waysFrom(streets, start, stepFree);
  const cm = ways.to(end, Infinity);
  if (cm === Infinity) return null;
  const between = cm - end.off;
  if (start.edge === end.edge && start.off + Math.abs(start.along - end.along) === between) {
    return { legs: [legOf(streets, start.edge, start.along, end.along)], cm };
  }
  const isByTail = ways.far[tails[end.edge]] + end.along === between;
  let junction = isByTail ? tails[end.edge] : heads[end.edge];
  const legs = [legOf(streets, end.edge, isByTail ? 0 : lengths[end.edge], end.along)];
  while (ways.by[junction] >= 0) {
    const arc = ways.by[junction], edge = arc >> 1, length = lengths[edge];
    legs.push(arc & 1 ? legOf(streets, edge, length, 0) : legOf(streets, edge, 0, length));
    junction = arc & 1 ? heads[edge] : tails[edge];
  }
  const isFromTail =
    junction === tails[start.edge] && ways.far[junction] === start.off + start.along;
  legs.push(legOf(streets, start.edge, start.along, isFromTail ? 0 : lengths[start.edge]));
  return { legs: legs.reverse(), cm };
}

// What lies between two places along an edge, in the direction from the first to the second.
function legOf({ about, starts, x, y, run, kinds, names }, edge, begin, end) {
  const low = Math.min(begin, end), high = Math.max(begin, end);
  const points = [placeAlong(low)];
  for (let p = starts[edge]; p < starts[edge + 1]; p++) {
    if (low < run[p] && run[p] < high) points.push([x[p], y[p]]);
  }
  points.push(placeAlong(high));
  if (begin > end) points.reverse();
  const name = names[edge] < 0 ? "" : about.names[names[edge]];
  return { course: courseOf(kinds[edge], name, begin > end), name, points, cm: high - low };

  function placeAlong(cm) {
    let p = starts[edge];
    while (p < starts[edge + 1] - 2 && run[p + 1] <= cm) p++;
    const span = run[p + 1] - run[p], part = span ? (cm - run[p]) / span : 0;
    return [x[p] + part * (x[p + 1] - x[p]), y[p] + part * (y[p + 1] - y[p])].map(Math.round);
  }
}

// --- the drawing

// All of it in metres from a place in the middle, to the right and down, made larger to fill the
// width. It is never mirrored: north is up and east is right in every language.
function drawWay(streets, line, name, words) {
  const narrows = Math.cos((line[0][1] / 1e6) * (Math.PI / 180));
  const bounds = (axis) => {
    const along = line.map((place) => place[axis]);
    return [Math.min(...along), Math.max(...along)];
  };
  const [west, east] = bounds(0), [south, north] = bounds(1);
  const middle = [(west + east) / 2, (south + north) / 2];
  const wide = Math.max((east - west) * narrows * NORTH_M, LEAST_M) * 1.3;
  const tall = Math.max((north - south) * NORTH_M, LEAST_M) * 1.3;
  const high = Math.min(Math.max((DRAWN_WIDE * tall) / wide, LEAST_HIGH), MOST_HIGH);
  const scale = Math.min(DRAWN_WIDE / wide, high / tall);
  const drawn = ([lon, lat]) => [
    (lon - middle[0]) * narrows * NORTH_M * scale + DRAWN_WIDE / 2,
    (middle[1] - lat) * NORTH_M * scale + high / 2,
  ];
  const path = (places) => "M" + places.map((place) => place.map(tenths).join(" ")).join("L");

  const svg = made("svg", {
    class: "sh-map", viewBox: [0, 0, DRAWN_WIDE, Math.round(high)].join(" "), role: "img",
  });
  svg.append(made("title", {}, words.way_drawn.replace("{name}", () => name)));
  const lines = { st: [], "st st2": [] };
  const labels = new Map(); // of each name the longest stretch that is seen
  streets.lengths.forEach((_, edge) => {
    const name = streets.names[edge];
    for (let p = streets.starts[edge]; p < streets.starts[edge + 1] - 1; p++) {
      const ends = [p, p + 1].map((point) => drawn([streets.x[point], streets.y[point]]));
      const seen = withinView(ends, high);
      if (!seen) continue;
      lines[name < 0 ? "st st2" : "st"].push(path(seen));
      if (name >= 0) keepLongest(labels, streets.about.names[name], seen);
    }
  });
  // As wide as they are, about, as far as that can be told from one another.
  const width = Math.min(Math.max(STREET_M * scale, 3), 10);
  Object.keys(lines).reverse().forEach((kind) => {
    const d = lines[kind].join("");
    svg.append(made("path", { class: kind, d, "stroke-width": kind === "st" ? width : width / 2 }));
  });
  const route = line.map((place) => drawn(place).map(tenths)), start = route[0], door = route[route.length - 1];
  ["case", "route"].forEach((kind) => svg.append(made("path", { class: kind, d: path(route) })));
  const taken = [boxAround(start, 22, 22), boxAround([door[0], door[1] - 18], 22, 26)];
  const isHigh = door[1] < 70;
  const ends = [
    endLabel(taken, words.you, [start[0], start[1] + (start[1] > high - 34 ? -16 : 28)], {}),
    endLabel(taken, name, [door[0], door[1] + (isHigh ? 24 : -48)], { lang: "en" }),
  ];
  svg.append(...placedLabels(labels, taken, high), ...ends);
  svg.append(
    made("circle", { class: "you", cx: start[0], cy: start[1], r: 9 }),
    made("circle", { class: "dot", cx: start[0], cy: start[1], r: 4 })
  );
  const corner = [door[0] - 15, door[1] - 40].join(" ");
  const leaf = made("g", { transform: "translate(" + corner + ")" });
  leaf.append(
    made("path", { class: "arch", d: "M0 44V16a15 15 0 0 1 30 0v28z" }),
    made("path", { class: "light", d: "M6 44V17a9 9 0 0 1 18 0v27z" })
  );
  svg.append(leaf);
  return svg;
}

function made(name, attributes, text) {
  const part = document.createElementNS(SVG, name);
  Object.keys(attributes).forEach((key) => part.setAttribute(key, attributes[key]));
  if (text) part.textContent = text;
  return part;
}

const tenths = (number) => Math.round(number * 10) / 10;

// The part of a straight bit that lies on the drawing; null when none does.
function withinView([[ax, ay], [bx, by]], high) {
  let from = 0, to = 1;
  for (const [start, step, end] of [[ax, bx - ax, DRAWN_WIDE], [ay, by - ay, high]]) {
    if (step === 0 && (start < 0 || start > end)) return null;
    if (step === 0) continue;
    const enters = (step > 0 ? -start : end - start) / step;
    const leaves = (step > 0 ? end - start : -start) / step;
    from = Math.max(from, enters);
    to = Math.min(to, leaves);
  }
  if (from >= to) return null;
  return [from, to].map((part) => [ax + part * (bx - ax), ay + part * (by - ay)]);
}

// A straight bit, if it is longer than what is known of that name.
function keepLongest(labels, text, [[ax, ay], [bx, by]]) {
  const length = Math.hypot(bx - ax, by - ay);
  if (length <= ((labels.get(text) || {}).length || 0)) return;
  const [dx, dy] = ax <= bx ? [bx - ax, by - ay] : [ax - bx, ay - by];
  const turn = Math.round(Math.atan2(dy, dx) / (Math.PI / 180));
  labels.set(text, { length, turn, at: [(ax + bx) / 2, (ay + by) / 2] });
}

const boxAround = ([x, y], wide, high) => [x - wide, y - high, x + wide, y + high];

// What stands at one of the ends of the way, moved inside where it would go over the rim.
function endLabel(taken, text, [x, y], attributes) {
  const half = Math.min((text.length * LETTER) / 1.6 + 4, DRAWN_WIDE / 2);
  const inside = Math.min(Math.max(x, half), DRAWN_WIDE - half);
  taken.push(boxAround([inside, y - 6], half, 12));
  return made("text", Object.assign({ class: "halo b", x: inside, y }, attributes), text);
}

// The names of streets where there is room for them, the longest stretches first: none lies over
// another one, over the ends of the way or over the rim.
function placedLabels(labels, taken, high) {
  const placed = [];
  const order = Array.from(labels).sort((a, b) => b[1].length - a[1].length);
  for (const [text, { length, turn, at }] of order) {
    const room = text.length * LETTER;
    if (length < room / 2) continue;
    const slope = turn * (Math.PI / 180);
    const halfWide = (room * Math.abs(Math.cos(slope)) + 20 * Math.abs(Math.sin(slope))) / 2;
    const halfHigh = (room * Math.abs(Math.sin(slope)) + 20 * Math.abs(Math.cos(slope))) / 2;
    const box = [at[0] - halfWide, at[1] - halfHigh, at[0] + halfWide, at[1] + halfHigh];
    const isInside = box[0] > 4 && box[1] > 4 && box[2] < DRAWN_WIDE - 4 && box[3] < high - 4;
    const isFree = taken.every((other) =>
      box[2] < other[0] || other[2] < box[0] || box[3] < other[1] || other[3] < box[1]);
    if (!isInside || !isFree) continue;
    taken.push(box);
    const place = "translate(" + at.map(Math.round).join(" ") + ") rotate(" + turn + ")";
    placed.push(made("text", { class: "halo", lang: "en", transform: place, dy: 6 }, text));
  }
  return placed;
}

// --- on the page

// The way from a place to a haven, drawn, and told below in the words of the page; whether there is
// one that is known.
function fillWay(streets, origin, entry, stepFree, words, phrases) {
  const start = tiedTo(streets, origin.lat, origin.lon);
  const way = start && entry.tie && wayBetween(streets, start, entry.tie, stepFree);
  if (!way) return false;
  const { name, location } = entry.haven;
  const millionths = ({ lat, lon }) => [Math.round(lon * 1e6), Math.round(lat * 1e6)];
  const here = millionths(origin), door = millionths(location);
  const line = [].concat([here], ...way.legs.map((leg) => leg.points), [door]);
  page("way-map").replaceChildren(drawWay(streets, line, name, words));
  page("way-steps").replaceChildren(
    ...stepsOf(here, start.off, way.legs, door, entry.tie.off).map((step) => {
      const item = document.createElement("li"), street = document.createElement("bdi");
      const told = document.createElement("span");
      street.lang = "en";
      street.textContent = step.name;
      // Where the name comes in, which is read and spoken in its own direction and language.
      const words = stepInWords(Object.assign({}, step, { name: NAME }), phrases);
      const [before, after] = words.split(NAME);
      told.append(...(after === undefined ? [before] : [before, street, after]));
      item.append(told);
      return item;
    })
  );
  return true;
}

const NAME = "\uFFFC";

// The streets around the havens, on the phone: where a place is tied to them, how far it is on
// foot, and which way.
//
// It reads what `GET /v1/streets` gives, as `app/walking/phone.py` writes it. Ties, lengths and
// ways are those of the service, to the centimetre, and tests hold it to that.
"use strict";

const FORM_OF_STREETS = "havens streets for phones 1\n";
const REACH_M = 100;
const OWN_STREET_M = 60;
const CELL_M = 50;
const NO_WAY = 2 ** 31 - 1;

// Bits of what is known of an edge, as `app/walking/access.py` has them.
const HAS_STEPS = 1, IS_HIDDEN = 2;

// The file made ready to be asked. Throws when it is no such file, or not whole.
function readStreets(buffer) {
  const bytes = new Uint8Array(buffer);
  let place = bytes.indexOf(10, bytes.indexOf(10) + 1) + 1;
  const head = new TextDecoder().decode(bytes.subarray(0, place));
  if (!head.startsWith(FORM_OF_STREETS)) throw new Error("no streets");
  const about = JSON.parse(head.slice(FORM_OF_STREETS.length));
  const next = () => {
    let number = 0, worth = 1, byte;
    do {
      byte = bytes[place++];
      number += (byte & 127) * worth;
      worth *= 128;
    } while (byte > 127);
    return number;
  };
  const signed = () => {
    const number = next();
    return number % 2 ? -(number + 1) / 2 : number / 2;
  };
  const column = (size, item) => {
    const numbers = new Int32Array(size);
    for (let i = 0; i < size; i++) numbers[i] = item(i ? numbers[i - 1] : 0);
    return numbers;
  };
  const { junctions, edges, inner } = about;
  const lon = column(junctions, (last) => last + signed());
  const lat = column(junctions, (last) => last + signed());
  const tails = column(edges, (last) => last + signed());
  const heads = column(edges, signed).map((step, edge) => tails[edge] + step);
  const kinds = column(edges, next);
  const names = column(edges, () => next() - 1);
  const between = column(edges, next);
  const east = column(inner, signed), north = column(inner, signed);
  if (place !== bytes.length) throw new Error("streets that are not whole");

  const starts = new Int32Array(edges + 1);
  for (let edge = 0; edge < edges; edge++) starts[edge + 1] = starts[edge] + between[edge] + 2;
  const count = starts[edges];
  const x = new Int32Array(count), y = new Int32Array(count);
  const owner = new Int32Array(count).fill(-1); // the edge on which the step from a point lies
  for (let edge = 0, i = 0; edge < edges; edge++) {
    const first = starts[edge], last = starts[edge + 1] - 1;
    x[first] = lon[tails[edge]];
    y[first] = lat[tails[edge]];
    for (let p = first + 1; p < last; p++, i++) {
      x[p] = x[p - 1] + east[i];
      y[p] = y[p - 1] + north[i];
    }
    x[last] = lon[heads[edge]];
    y[last] = lat[heads[edge]];
    owner.fill(edge, first, last);
  }
  const streets = { about, junctions, tails, heads, kinds, names, starts, x, y, owner };
  measure(streets);
  join(streets);
  lay(streets);
  streets.named = byName(about.names);
  return streets;
}

// How many centimetres along its edge each point lies, every step of it rounded up, and how long
// each edge is.
function measure(streets) {
  const { starts, x, y, owner } = streets;
  const [middle, high, wide, narrows] = streets.about.scale;
  const run = new Int32Array(x.length);
  for (let p = 0; p + 1 < run.length; p++) {
    if (owner[p] < 0) continue;
    const between = (y[p + 1] + y[p]) / 2;
    const dx = (x[p + 1] - x[p]) * (wide - narrows * (between - middle));
    const dy = (y[p + 1] - y[p]) * high;
    run[p + 1] = run[p] + Math.ceil(Math.sqrt(dx * dx + dy * dy) * 100);
  }
  streets.run = run;
  streets.lengths = streets.tails.map((_, edge) => run[starts[edge + 1] - 1]);
  streets.longest = streets.lengths.reduce((a, b) => Math.max(a, b), 0);
  const total = streets.lengths.reduce((sum, cm) => sum + cm, 0);
  if (total !== streets.about.total_cm) throw new Error("streets of another length");
}

// Which edges lead from each junction, in both directions: `arcs[from[j]]` to `arcs[from[j + 1]]`,
// twice the number of the edge, and one more from its head.
function join(streets) {
  const { junctions, tails, heads } = streets;
  const from = new Int32Array(junctions + 1), arcs = new Int32Array(2 * tails.length);
  tails.forEach((tail, edge) => {
    from[tail]++;
    from[heads[edge]]++;
  });
  for (let j = 0, sum = 0; j <= junctions; j++) from[j] = sum += from[j];
  for (let edge = tails.length - 1; edge >= 0; edge--) {
    arcs[--from[heads[edge]]] = 2 * edge + 1;
    arcs[--from[tails[edge]]] = 2 * edge;
  }
  streets.from = from;
  streets.arcs = arcs;
}

// The grid that tells which steps of a shape are near a place: those that one may be tied to.
function lay(streets) {
  const { x, y, owner, kinds } = streets;
  const [middle, high, wide, narrows] = streets.about.scale;
  const least = (numbers) => numbers.reduce((a, b) => Math.min(a, b), Infinity);
  const most = (numbers) => numbers.reduce((a, b) => Math.max(a, b), -Infinity);
  const west = least(x), south = least(y), top = most(y);
  // In the north a degree of longitude is the shortest.
  const width = Math.ceil(CELL_M / (wide - narrows * (top - middle)));
  const height = Math.ceil(CELL_M / high);
  const columnOf = (millionths) => Math.floor((millionths - west) / width);
  const rowOf = (millionths) => Math.floor((millionths - south) / height);
  const columns = columnOf(most(x)) + 1, rows = rowOf(top) + 1;
  const cells = new Int32Array(columns * rows + 1);
  const inCells = (put) => {
    for (let step = x.length - 2; step >= 0; step--) {
      if (owner[step] < 0 || kinds[owner[step]] & (HAS_STEPS | IS_HIDDEN)) continue;
      const left = columnOf(Math.min(x[step], x[step + 1]));
      const right = columnOf(Math.max(x[step], x[step + 1]));
      const last = rowOf(Math.max(y[step], y[step + 1]));
      for (let row = rowOf(Math.min(y[step], y[step + 1])); row <= last; row++) {
        for (let c = left; c <= right; c++) put(row * columns + c, step);
      }
    }
  };
  inCells((cell) => cells[cell]++);
  for (let cell = 0, sum = 0; cell < cells.length; cell++) cells[cell] = sum += cells[cell];
  const steps = new Int32Array(cells[cells.length - 1]);
  inCells((cell, step) => {
    steps[--cells[cell]] = step;
  });
  streets.grid = { west, south, width, height, columns, rows, cells, steps };
}

// --- where a place is

// The edge that a place is tied to, how far along it and how far off it, in centimetres; null when
// no street is near. One whose name is in `address` is preferred to a nearer one without.
function tiedTo(streets, lat, lon, address = "") {
  const wanted = address ? namesIn(streets.named, address) : [];
  const own = wanted.length ? nearestStep(streets, lat, lon, OWN_STREET_M, wanted) : null;
  return own || nearestStep(streets, lat, lon, REACH_M, []);
}

// Of several equally near ones the first, as in the service.
function nearestStep({ about, x, y, run, owner, names, grid }, lat, lon, farthest, wanted) {
  const atX = lon * 1e6, atY = lat * 1e6;
  const [middle, high, wide, narrows] = about.scale;
  const across = wide - narrows * (atY - middle);
  const { columns, rows, cells, steps } = grid;
  const column = Math.floor((atX - grid.west) / grid.width);
  const row = Math.floor((atY - grid.south) / grid.height);
  let best = farthest * farthest, step = -1, part = 0;
  // What is not in the rings looked through lies at least a cell less than their number away.
  for (let ring = 0; ring === 0 || ((ring - 1) * CELL_M) ** 2 <= best; ring++) {
    const end = Math.min(row + ring, rows - 1);
    for (let r = Math.max(row - ring, 0); r <= end; r++) {
      const isEdge = r === row - ring || r === row + ring;
      const stride = isEdge ? 1 : Math.max(2 * ring, 1);
      for (let c = column - ring; c <= column + ring; c += stride) {
        if (c < 0 || c >= columns) continue;
        const cell = r * columns + c;
        for (let i = cells[cell]; i < cells[cell + 1]; i++) {
          const s = steps[i];
          if (wanted.length && !wanted.includes(names[owner[s]])) continue;
          const ax = (x[s] - atX) * across, ay = (y[s] - atY) * high;
          const dx = (x[s + 1] - atX) * across - ax, dy = (y[s + 1] - atY) * high - ay;
          const square = dx * dx + dy * dy;
          const t = square > 0 ? -(ax * dx + ay * dy) / square : 0;
          const within = Math.min(Math.max(t, 0), 1);
          const px = ax + within * dx, py = ay + within * dy;
          const off = px * px + py * py;
          if (off < best || (off === best && (step < 0 || s < step))) {
            best = off;
            step = s;
            part = within;
          }
        }
      }
    }
  }
  if (step < 0) return null;
  const along = run[step] + Math.floor(part * (run[step + 1] - run[step]) + 0.5);
  return { edge: owner[step], along, off: Math.ceil(Math.sqrt(best) * 100) };
}

// Names as they are told from one another, as `app/walking/words.py` does it.
const IN_FULL = new Map([
  ["st", "street"], ["rd", "road"], ["ave", "avenue"], ["av", "avenue"], ["ln", "lane"],
  ["sq", "square"], ["ct", "court"], ["pl", "place"], ["ter", "terrace"], ["gdns", "gardens"],
  ["bldgs", "buildings"], ["yd", "yard"],
]);

function spokenWords(text) {
  const plain = text.toLowerCase().replace(/ß/g, "ss").normalize("NFKD").replace(/\p{Mn}/gu, "");
  const words = plain.replace(/['’.]/g, "").match(/[\p{L}\p{N}_]+/gu) || [];
  return words.map((word) => IN_FULL.get(word) || word);
}

// The numbers of names by how they are spoken.
function byName(texts) {
  const named = new Map();
  texts.forEach((text, number) => {
    const spoken = spokenWords(text).join(" ");
    named.set(spoken, (named.get(spoken) || []).concat(number));
  });
  return named;
}

function namesIn(named, address) {
  const words = spokenWords(address), found = new Set();
  words.forEach((_, first) => {
    for (let end = first + 1; end <= words.length; end++) {
      (named.get(words.slice(first, end).join(" ")) || []).forEach((number) => found.add(number));
    }
  });
  return Array.from(found);
}

// --- how far it is on foot

// The ways from where a place is tied, which are followed only as far as somebody asks (Dijkstra).
function waysFrom(streets, start, stepFree) {
  const { about, junctions, tails, heads, kinds, lengths, from, arcs } = streets;
  const far = new Int32Array(junctions).fill(NO_WAY);
  const by = new Int32Array(junctions).fill(-1); // the arc that leads there
  const heap = []; // each a number: the way so far, times the number of junctions, and the junction

  function reach(junction, cm, arc) {
    if (cm >= far[junction]) return;
    far[junction] = cm;
    by[junction] = arc;
    push(heap, cm * junctions + junction);
  }

  function follow() {
    const item = pop(heap), junction = item % junctions, cm = (item - junction) / junctions;
    if (cm > far[junction]) return;
    for (let i = from[junction]; i < from[junction + 1]; i++) {
      const arc = arcs[i], edge = arc >> 1;
      if (stepFree && kinds[edge] & HAS_STEPS) continue;
      reach(arc & 1 ? tails[edge] : heads[edge], cm + lengths[edge], arc);
    }
  }

  reach(tails[start.edge], start.off + start.along, -1);
  reach(heads[start.edge], start.off + lengths[start.edge] - start.along, -1);

  // How far it is to where another place is tied, in centimetres; Infinity without a way. What is
  // farther than `most` need only come out farther than that.
  function to({ edge, along, off }, most) {
    const tail = tails[edge], head = heads[edge], rest = lengths[edge] - along;
    const direct = edge === start.edge ? Math.abs(along - start.along) + start.off : NO_WAY;
    for (;;) {
      const best = Math.min(direct, far[tail] + along, far[head] + rest);
      // No way that is still to be followed is shorter.
      const least = heap.length
        ? Math.floor(heap[0] / junctions) + Math.min(along, rest)
        : Infinity;
      if (best <= least || least + off > most) return best < NO_WAY ? best + off : Infinity;
      follow();
    }
  }

  const noWay = 2 * about.detour_cm[Number(stepFree)];
  const aside = start.off + Math.min(start.along, lengths[start.edge] - start.along);
  // No way is longer: from the nearer end of an edge to that of another, and what is beside both.
  const most = noWay + aside + streets.longest / 2 + 100 * REACH_M;
  return { start, far, by, to, noWay, mostMinutes: Math.ceil(most / (100 * METRES_A_MINUTE)) };
}

function push(heap, item) {
  let place = heap.length;
  while (place) {
    const above = (place - 1) >> 1;
    if (heap[above] <= item) break;
    heap[place] = heap[above];
    place = above;
  }
  heap[place] = item;
}

function pop(heap) {
  const top = heap[0], item = heap.pop(), size = heap.length;
  if (!size) return top;
  let place = 0;
  for (let below = 1; below < size; below = 2 * place + 1) {
    if (below + 1 < size && heap[below + 1] < heap[below]) below++;
    if (item <= heap[below]) break;
    heap[place] = heap[below];
    place = below;
  }
  heap[place] = item;
  return top;
}

// A place that somebody types, found on the phone in what the directory document holds, and among
// the postcodes of the area where those are known, so that nothing typed leaves it. `app/web/places.py` says the rule, in words and for those without
// JavaScript; a test holds both to the same answers.
"use strict";

const LONGEST_TEXT = 100;
const MOST_PLACES = 8;
const MOST_GUESSES = 3;
const PLACE_KINDS = ["postcode", "district", "street", "ward", "haven"];

// The places of the document's havens, read once and asked often by `findPlaces`.
function readPlaces(havens) {
  const groups = new Map(), alike = new Map();
  for (const haven of havens) {
    for (const name of placeNames(haven)) {
      const key = name.words.join("");
      const id = JSON.stringify([name.kind, key, name.apart]);
      if (!key) continue;
      if (!groups.has(id)) {
        groups.set(id, Object.assign({ key, places: [] }, name));
        alike.set(name.kind + key, (alike.get(name.kind + key) || 0) + 1);
      }
      groups.get(id).places.push(haven.location);
    }
  }
  const entries = Array.from(groups.values()).map((group) => {
    const { kind, key, name, words, district, apart, places } = group;
    const shown = apart && alike.get(kind + key) > 1 ? `${name}, ${apart}` : name;
    const lat = meanOf(places.map((place) => place.lat));
    const lon = meanOf(places.map((place) => place.lon));
    return { place: { name: shown, kind, lat, lon }, key, words, district };
  });
  const ofKind = (kind) => entries.filter((entry) => entry.place.kind === kind);
  return {
    codes: new Map(
      [].concat(...PLACE_KINDS.slice(0, 2).map(ofKind)).reverse().map((e) => [e.key, e.place])
    ),
    named: [].concat(...PLACE_KINDS.slice(2).map(ofKind)),
  };
}

// Has places know each postcode of the service's list, and the middle of each district.
function addPostcodes({ codes }, { districts, per_degree: perDegree }) {
  const parts = new Map();
  for (const outward of Object.keys(districts).sort()) {
    const { codes: inward, lat: lats, lon: lons } = districts[outward];
    const wider = widerDistrict(outward.toLowerCase()).toUpperCase();
    let lat = 0, lon = 0;
    lats.forEach((step, i) => {
      lat += step;
      lon += lons[i];
      const name = `${outward} ${inward.slice(3 * i, 3 * i + 3)}`;
      const place = { name, kind: "postcode", lat: lat / perDegree, lon: lon / perDegree };
      codes.set(name.replace(" ", "").toLowerCase(), place);
      for (const part of new Set([outward, wider])) {
        if (!parts.has(part)) parts.set(part, []);
        parts.get(part).push(place);
      }
    });
  }
  for (const [name, places] of parts) {
    const [lat, lon] = ["lat", "lon"].map((axis) => meanOf(places.map((place) => place[axis])));
    codes.set(name.toLowerCase(), { name, kind: "district", lat, lon });
  }
}

// Whether a text holds a whole postcode that is not among some places.
function lacksPostcode({ codes }, text) {
  const [, outward, inward = ""] = POSTCODE.exec(foldedText(text)) || [];
  return inward.length === 3 && !codes.has(outward + inward);
}

// {places, guessed}: the place; or several to choose from; or what may have been meant, if
// `guessed`; or none.
function findPlaces({ codes, named }, typed) {
  const text = Array.from(typed).slice(0, LONGEST_TEXT).join("");
  const whole = foldedText(text);
  const [, outward = "", inward = ""] = POSTCODE.exec(whole) || [];
  const there = named.filter((entry) => liesIn(entry.district, outward));
  const asked = tellingWords(withoutPostcode(whole));
  // A name may look like a postcode: what is all of a name is not taken for one.
  const tries = [[tellingWords(whole), named], [asked, there]].concat(
    text.split(/[,(]/).map((part) => [tellingWords(withoutPostcode(foldedText(part))), there]));
  const some = (entries) => ({
    places: entries.slice(0, MOST_PLACES).map((entry) => entry.place), guessed: false,
  });
  for (const [words, entries] of tries) {
    const found = entries.filter((entry) => words.length && entry.key === words.join(""));
    if (found.length) return some(found);
  }
  const found = there.filter((entry) => hasAll(entry.words, asked));
  if (found.length) return some(found);
  if (outward) {
    const keys = [outward + inward, outward, widerDistrict(outward)];
    const known = keys.map((key) => codes.get(key)).filter((place) => place);
    return { places: known.slice(0, 1), guessed: false };
  }
  const places = guessedPlaces(asked.join(""), there);
  return { places, guessed: places.length > 0 };
}

const meanOf = (degrees) => degrees.reduce((total, one) => total + one, 0) / degrees.length;

// --- what the directory holds

function placeNames({ name, address = "", postcode = "", ward = "" }) {
  const shown = postcode.split(" ")[0], district = foldedText(shown);
  const wider = widerDistrict(district), street = streetOf(address);
  const named = (kind, text, words, within = "", apart = "") =>
    ({ kind, name: text, words, district: within, apart });
  return [
    named("postcode", postcode, foldedText(postcode).split(" ")),
    named("district", shown, [district]),
    ...(wider === district ? [] : [named("district", shown.slice(0, -1), [wider])]),
    named("street", street, tellingWords(foldedText(street)), district, shown),
    named("ward", ward, tellingWords(foldedText(ward.split("(")[0]))),
    named("haven", name, tellingWords(foldedText(name)), district, address || postcode),
  ];
}

const HOUSE_NUMBER = /^[0-9]+[A-Za-z]?(?: ?[-–/&] ?[0-9]+[A-Za-z]?)* /;

// The part of an address that begins with a number, else its last, without the number.
function streetOf(address) {
  const parts = address.split(",").map((part) => part.replace(/^ +| +$/g, ""));
  const numbered = parts.filter((part) => HOUSE_NUMBER.test(part));
  return (numbered.length ? numbered[0] : parts[parts.length - 1]).replace(HOUSE_NUMBER, "");
}

// --- what is typed

// As `app/core/text.py` folds: an apostrophe joins, `&` reads as "and", every other mark parts.
function foldedText(text) {
  return text.replace(/&/g, " and ").replace(/['‘’\u0060]/g, "").normalize("NFKD")
    .replace(/\p{Mn}/gu, "").replace(/[^\p{L}\p{N}]+/gu, " ").trim()
    .toLowerCase().replace(/ß/g, "ss");
}

// In a folded text. The second half may be missing, or be its first digit alone.
const POSTCODE = /(?:^| )([a-z]{1,2}[0-9][0-9a-z]?)(?: ?([0-9](?:[a-z]{2})?))?(?= |$)/;

const withoutPostcode = (plain) => plain.replace(POSTCODE, " ").replace(/^ +| +$/g, "");

// The district of which this is a part: EC4 for EC4N.
const widerDistrict = (district) => district.replace(/([0-9])[a-z]$/, "$1");

const liesIn = (district, outward) =>
  !outward || !district || outward === district || outward === widerDistrict(district);

const NUMBERS = /^(?:(?:(?:flat|unit|no|number) )?[0-9]+[a-z]?(?: |$))+/;
const SHORT_FORMS = new Map([
  ["st", "street"], ["rd", "road"], ["ave", "avenue"], ["av", "avenue"], ["ln", "lane"],
  ["pl", "place"], ["ct", "court"], ["sq", "square"], ["yd", "yard"], ["pas", "passage"],
  ["gdns", "gardens"],
]);

// The words of a folded text that tell something.
function tellingWords(plain) {
  const told = (text) => text.split(" ").filter((word) => word);
  let words = told(plain.replace(NUMBERS, "")).filter((word) => !["the", "and"].includes(word));
  if (!words.length) words = told(plain);
  while (words.length > 1 && ["london", "ward"].includes(words[words.length - 1])) words.pop();
  // "St" is a street where it comes last, and a saint elsewhere.
  return words.map((word, i) => {
    if (i === words.length - 1) return SHORT_FORMS.get(word) || word;
    return word === "saint" ? "st" : word;
  });
}

const hasAll = (words, asked) =>
  Array.from(asked.join("")).length > 2 &&
  asked.every((one) => words.some((word) => word.startsWith(one)));

// What hardly differs as a whole, or in one of its longer words; the likeliest first.
function guessedPlaces(key, entries) {
  const letters = Array.from(key), most = Math.min(Math.floor(letters.length / 4), 3);
  const near = [[], [], [], []];
  for (const { place, key: whole, words } of entries) {
    const texts = [whole, ...words].map((text) => Array.from(text));
    const edits = texts.filter((text, i) => !i || text.length > 3)
      .map((text) => editsBetween(letters, text, most));
    const fewest = Math.min(...edits);
    if (fewest <= most) near[fewest].push(place);
  }
  return [].concat(...near).slice(0, MOST_GUESSES);
}

// How many letters are wrong, missing, too many or swapped with the next; `most` + 1 when more are
// missing.
function editsBetween(ours, theirs, most) {
  if (Math.abs(ours.length - theirs.length) > most) return most + 1;
  let before = [], last = Array.from({ length: theirs.length + 1 }, (_, j) => j);
  ours.forEach((a, i) => {
    const row = [i + 1];
    theirs.forEach((b, j) => {
      let edits = Math.min(last[j + 1] + 1, row[j] + 1, last[j] + (a === b ? 0 : 1));
      if (i && j && a === theirs[j - 1] && b === ours[i - 1]) {
        edits = Math.min(edits, before[j - 1] + 1);
      }
      row.push(edits);
    });
    [before, last] = [last, row];
  });
  return last[theirs.length];
}

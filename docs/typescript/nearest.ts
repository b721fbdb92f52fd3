// node build/nearest.js ADDRESS FILE LAT LON [INSTANT]: the nearest open doors, with a connection or
// without, as JSON.
import { readFile, writeFile } from "node:fs/promises";
import { argv } from "node:process";
import { Havens, type Kept } from "./havens.js";

const [address = "", file = "", lat, lon, at] = argv.slice(2);

const havens = new Havens(address, {
  read: () => readFile(file, "utf8").then((text) => JSON.parse(text) as Kept, () => null),
  write: (kept) => writeFile(file, JSON.stringify(kept)),
});
const directory = await havens.refresh();
const now = at ? new Date(at) : new Date();
const nearest = havens.nearest({ lat: Number(lat), lon: Number(lon) }, now).map((found) => ({
  id: found.haven.id,
  name: found.haven.name,
  minutes: found.minutes,
  until: found.until?.toISOString() ?? null,
}));
console.log(JSON.stringify({ directory, isOld: havens.isOld(now), nearest }));

// The directory on a phone: fetched while there is a connection, kept, and asked without one. Types
// come from the contract; where somebody stands goes nowhere.
import createClient from "openapi-fetch";
import type { components, paths } from "./contract.js";

type Schemas = components["schemas"];
export type Directory = Schemas["WholeDirectory"];
export type Haven = Schemas["DirectoryHaven"];
export type Place = Schemas["Location"];

/** A directory as it was fetched, and its `ETag`. */
export interface Kept {
  tag: string | null;
  directory: Directory;
}

/** Where the phone keeps it: a file, IndexedDB, whatever there is. */
export interface Shelf {
  read(): Promise<Kept | null>;
  write(kept: Kept): Promise<void>;
}

/** A haven that is open, and how far it is. */
export interface Found {
  haven: Haven;
  metres: number;
  minutes: number;
  /** Unknown where it is open for longer than the directory looks ahead. */
  until: Date | null;
}

const EARTH_RADIUS_M = 6_371_008.77;
const METRES_A_MINUTE = 80;
const MARGIN_MS = 5 * 60_000;
const PATIENCE_MS = 10_000;

export class Havens {
  readonly #service;
  readonly #shelf: Shelf;
  #kept: Kept | null = null;

  constructor(baseUrl: string, shelf: Shelf) {
    this.#service = createClient<paths, "application/json">({ baseUrl });
    this.#shelf = shelf;
  }

  /**
   * Take up the newest directory; without a connection, the one that was kept. Call it when the app
   * starts and every hour. Throws where there is neither.
   */
  async refresh(): Promise<"fetched" | "unchanged" | "kept"> {
    this.#kept ??= await this.#shelf.read();
    try {
      const { data, response } = await this.#service.GET("/v1/havens", {
        headers: this.#kept?.tag ? { "If-None-Match": this.#kept.tag } : {},
        signal: AbortSignal.timeout(PATIENCE_MS),
      });
      if (response.status === 304 && this.#kept) return "unchanged";
      if (!data) throw new Error(`the service answers ${response.status}`);
      this.#kept = { tag: response.headers.get("ETag"), directory: data };
    } catch (error) {
      if (!this.#kept) throw error;
      return "kept";
    }
    // A phone that is full keeps nothing, and still finds the door.
    await this.#shelf.write(this.#kept).catch(() => undefined);
    return "fetched";
  }

  /** Whether to say that the list may have changed. */
  isOld(at = new Date()): boolean {
    return !this.#kept || at > new Date(this.#kept.directory.directory.confirm_by);
  }

  /** The nearest havens that are still open five minutes after somebody who sets out gets there. */
  nearest(from: Place, at = new Date(), limit = 5): Found[] {
    if (!this.#kept) return [];
    const { directory, havens, upcoming } = this.#kept.directory;
    const found: Found[] = [];
    for (const haven of [...havens, ...upcoming]) {
      const metres = metresBetween(from, haven.location);
      const minutes = Math.ceil((metres * directory.walking_factor) / METRES_A_MINUTE);
      const span = haven.availability?.find(
        (one) => new Date(one.from) <= at && at < new Date(one.until),
      );
      if (!span) continue; // closed, or nobody knows
      const until = new Date(span.until);
      if (until.getTime() < at.getTime() + minutes * 60_000 + MARGIN_MS) continue;
      const isKnown = until < new Date(directory.valid_until);
      found.push({ haven, metres, minutes, until: isKnown ? until : null });
    }
    found.sort((a, b) => a.metres - b.metres || (a.haven.id < b.haven.id ? -1 : 1));
    return found.slice(0, limit);
  }
}

function metresBetween(a: Place, b: Place): number {
  const radians = (degrees: number) => (degrees * Math.PI) / 180;
  const half = (from: number, to: number) => Math.sin(radians(to - from) / 2) ** 2;
  const across = Math.cos(radians(a.lat)) * Math.cos(radians(b.lat)) * half(a.lon, b.lon);
  return 2 * EARTH_RADIUS_M * Math.asin(Math.min(1, Math.sqrt(half(a.lat, b.lat) + across)));
}

"use strict";
// Keeps the finder on the phone, whole or not at all: this file changes with any of what it keeps.
// The directory is the page's own to keep, and what goes to the service passes by.
const KEPT = "havens-{{ build }}";
const FILES = {{ files|tojson }};
const LATER = {{ later|tojson }};
const PAGES = {{ pages|tojson }};
const OURS = /^havens-(?!directory$)/;

self.addEventListener("install", (event) => {
  // What is always kept comes from there without this worker, where the browser can do that: to start
  // it takes an old phone a while.
  if (event.addRoutes) {
    const always = FILES.concat(PAGES.slice(0, 2));
    event.addRoutes(
      always.map((pathname) => ({
        condition: { urlPattern: { pathname, search: "" }, requestMethod: "get" },
        source: { cacheName: KEPT },
      }))
    );
  }
  event.waitUntil(
    caches
      .open(KEPT)
      .then((kept) =>
        Promise.all([
          kept.addAll(FILES),
          pagesKept().then((pages) => Promise.all(pages.map((page) => keep(kept, page)))),
        ])
      )
      .then(() => self.skipWaiting())
  );
});

// A page as this phone asks for it: whatever it varies by, there is one of it.
function keep(kept, page) {
  return fetch(page).then((answer) => {
    if (!answer.ok) throw new Error(page + ": " + answer.status);
    const headers = new Headers(answer.headers);
    headers.delete("Vary");
    return kept.put(page, new Response(answer.body, { headers }));
  });
}

// The pages of everybody, and what else this phone has kept before: pages in a language of its own,
// and files that are asked for later, under their names of now.
async function pagesKept() {
  const pages = new Set(PAGES.slice(0, 2));
  const stem = (path) => path.split(".")[0];
  for (const name of (await caches.keys()).filter((one) => OURS.test(one))) {
    for (const kept of await (await caches.open(name)).keys()) {
      const path = new URL(kept.url).pathname;
      if (PAGES.includes(path)) pages.add(path);
      LATER.filter((file) => stem(file) === stem(path)).forEach((file) => pages.add(file));
    }
  }
  return Array.from(pages);
}

self.addEventListener("activate", (event) => {
  event.waitUntil(
    caches
      .keys()
      .then((names) =>
        Promise.all(
          names
            .filter((name) => OURS.test(name) && name !== KEPT)
            .map((name) => caches.delete(name))
        )
      )
      .then(() => self.clients.claim())
  );
});

// A finder in a language of its own is kept when it is first seen, with whom to call; and a file
// that is asked for later, when it has come.
self.addEventListener("message", (event) => {
  const known = PAGES.concat(LATER);
  const pages = known.filter((page) => page === event.data || page === event.data + "/help");
  event.waitUntil(
    caches.open(KEPT).then((kept) =>
      Promise.all(
        pages.map((page) => kept.match(page).then((found) => found || keep(kept, page)))
      )
    )
  );
});

// Without a connection any other page is the finder, in the language of the address if it is kept.
function finder(kept, path) {
  const own = PAGES.find((page) => page !== "/" && (path + "/").startsWith(page + "/"));
  return kept
    .match(own || "/", { ignoreVary: true })
    .then((found) => found || kept.match("/", { ignoreVary: true }));
}

self.addEventListener("fetch", (event) => {
  const address = new URL(event.request.url);
  const isPage = event.request.mode === "navigate";
  const isOurs = address.origin === self.location.origin && event.request.method === "GET";
  if (!isOurs || !(isPage || FILES.concat(LATER).includes(address.pathname))) return;
  event.respondWith(
    caches.open(KEPT).then((kept) =>
      kept.match(address.pathname, { ignoreVary: true }).then(
        (found) =>
          found ||
          fetch(event.request).catch((fault) =>
            isPage ? finder(kept, address.pathname) : Promise.reject(fault)
          )
      )
    )
  );
});

"use strict";
// Draws the list of havens as a map: each of its doors becomes a button where the door is. The map
// knows what is in the list and no more. Nothing here asks where anybody is.
(() => {
  const NEAR_PX = 24;
  const PIN = { iconSize: [28, 36], iconAnchor: [14, 36] };

  const page = document.getElementById("havens");
  // Without havens there is no map, and none without the library if it got lost on the way.
  if (!page || !window.L) return;
  page.querySelectorAll("template").forEach((part) => part.replaceWith(part.content));
  page.classList.add("sh-mapped--drawn");

  const element = document.getElementById("map");
  const words = element.dataset;
  const isStill = window.matchMedia("(prefers-reduced-motion: reduce)").matches;
  const doors = Array.from(page.querySelectorAll("li[data-lat]"), (line) => ({
    line,
    at: L.latLng(line.dataset.lat, line.dataset.lon),
  }));
  const all = L.latLngBounds([]);
  doors.forEach((door) => all.extend(door.at.toBounds(300)));

  const map = L.map(element, {
    attributionControl: false,
    zoomControl: false,
    // Who scrolls the page past the map means the page.
    scrollWheelZoom: false,
    maxZoom: 18,
    // Tiles are sharp in whole steps only.
    zoomSnap: words.tiles ? 1 : 0.25,
    fadeAnimation: false,
    zoomAnimation: !isStill,
    inertia: !isStill,
  });
  if (isStill) {
    // Leaflet has no option for going there without a movement.
    const panBy = map.panBy;
    map.panBy = (by, options) =>
      panBy.call(map, by, Object.assign({}, options, { animate: false }));
  }
  map.fitBounds(all);
  map.setMinZoom(map.getZoom() - 1);
  map.setMaxBounds(map.getBounds().pad(0.7));
  L.control.zoom({ zoomInTitle: words.zoomIn, zoomOutTitle: words.zoomOut }).addTo(map);

  // --- what lies under the doors ---------------------------------------------------------------

  if (words.tiles) {
    // Leaflet would put an empty picture into what it drops, whose address our policy refuses.
    const Tiles = L.TileLayer.extend({
      _removeTile: L.GridLayer.prototype._removeTile,
      _abortLoading: L.Util.falseFn,
    });
    new Tiles(words.tiles).addTo(map);
    element.classList.add("sh-tiled");
  }

  fetch("/v1/wards")
    .then((answer) => (answer.ok ? answer.json() : Promise.reject(answer.status)))
    .then(drawWards)
    // Without them the doors are where they are.
    .catch(() => {});

  function drawWards(wards) {
    const names = [];
    L.geoJSON(wards, {
      className: "sh-ward",
      interactive: false,
      onEachFeature: (ward, outline) => names.push([outline, nameOf(ward)]),
    }).addTo(map);
    // Amid what is seen of a ward, where there is room. They lie under the doors, and who does not
    // see them has the list.
    const labels = names.map(([outline, html]) => {
      const icon = L.divIcon({ html, className: "sh-ward-name", iconSize: [0, 0] });
      const options = { icon, interactive: false, keyboard: false, pane: "shadowPane" };
      const bounds = outline.getBounds();
      return [bounds, html, L.marker(bounds.getCenter(), options).addTo(map)];
    });
    const place = () => {
      const seen = map.getBounds();
      labels.forEach(([bounds, name, marker]) => {
        const north = Math.min(bounds.getNorth(), seen.getNorth());
        const south = Math.max(bounds.getSouth(), seen.getSouth());
        const west = Math.max(bounds.getWest(), seen.getWest());
        const east = Math.min(bounds.getEast(), seen.getEast());
        marker.setLatLng([(north + south) / 2, (west + east) / 2]);
        const [left, right] = [west, east].map((side) => map.latLngToLayerPoint([north, side]).x);
        name.classList.toggle("sh-no-room", north < south || 1.5 * name.offsetWidth > right - left);
      });
    };
    map.on("moveend", place);
    place();
  }

  function nameOf(ward) {
    const name = document.createElement("bdi");
    name.lang = "en";
    name.textContent = ward.properties.name.split(" (")[0];
    name.setAttribute("aria-hidden", "true");
    return name;
  }

  // --- the doors -------------------------------------------------------------------------------

  // In the order of the list, which is the order in which a keyboard reaches them.
  doors.forEach((door) => {
    door.button = buttonOf(door.line);
    const Pin = L.Icon.extend({ createIcon: () => door.button, createShadow: () => null });
    const isDark = door.button.classList.contains("sh-pin--shut");
    const options = { icon: new Pin(PIN), keyboard: false, zIndexOffset: isDark ? 0 : 1000 };
    L.marker(door.at, options).addTo(map).on("click", () => choose(door));
    // So that a door which is reached never lies under what another one has opened.
    door.button.addEventListener("focus", close);
  });

  function buttonOf(line) {
    const button = document.createElement("button");
    const [name, state] = line.querySelectorAll(".sh-next__name, .sh-next__more");
    const isDark = line.querySelector(".sh-state--shut");
    button.type = "button";
    button.className = `leaflet-marker-icon sh-pin${isDark ? " sh-pin--shut" : ""}`;
    button.setAttribute("aria-label", `${name.textContent}, ${state.textContent}`);
    button.append(line.querySelector(".sh-state svg").cloneNode(true));
    return button;
  }

  // --- the door that is chosen -----------------------------------------------------------------

  const sheet = document.getElementById("chosen");
  const list = sheet.querySelector("ul");
  let chosen = null;

  // Doors that cover one another are shown together: a finger can't tell them apart.
  function choose(door) {
    close();
    chosen = door;
    const point = map.latLngToLayerPoint(door.at);
    const away = (other) => point.distanceTo(map.latLngToLayerPoint(other.at));
    const near = doors.filter((other) => other !== door && away(other) < NEAR_PX);
    near.sort((one, other) => away(one) - away(other));
    list.replaceChildren(...[door, ...near].map((shown) => shown.line.cloneNode(true)));
    door.button.classList.add("sh-pin--chosen");
    sheet.hidden = false;
    const [ground, over] = [element, sheet].map((part) => part.getBoundingClientRect());
    const covered = Math.max(0, ground.bottom - over.top);
    map.panInside(door.at, { paddingTopLeft: [40, 50], paddingBottomRight: [40, covered] });
    list.querySelector("a").focus();
  }

  function close() {
    if (!chosen) return;
    const hadFocus = sheet.contains(document.activeElement);
    chosen.button.classList.remove("sh-pin--chosen");
    sheet.hidden = true;
    if (hadFocus) chosen.button.focus();
    chosen = null;
  }

  document.getElementById("chosen-close").addEventListener("click", close);
  map.on("click", close);
  sheet.parentElement.addEventListener("keydown", (event) => {
    if (event.key === "Escape") close();
  });
})();

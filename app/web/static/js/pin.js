"use strict";
// A map beside the two numbers of a place: a click or the arrow keys put the pin, and the numbers
// follow; what is typed moves the pin. Without it the numbers can be typed.
(() => {
  const group = document.getElementById("location");
  const [lat, lon] = ["location-lat", "location-lon"].map((id) => document.getElementById(id));
  if (!group || !lat || !lon || !window.L) return;

  const element = document.createElement("div");
  element.className = "sh-placing";
  element.setAttribute("role", "application");
  element.setAttribute("aria-label", "Map: the arrow keys move it, Enter puts the pin in its middle");
  element.tabIndex = 0;
  group.append(element);
  const isStill = window.matchMedia("(prefers-reduced-motion: reduce)").matches;
  const map = L.map(element, {
    attributionControl: false,
    scrollWheelZoom: false,
    zoomAnimation: !isStill,
    fadeAnimation: false,
    inertia: !isStill,
    maxZoom: 18,
  });
  const pin = L.circleMarker([0, 0], { radius: 9, className: "sh-placing__at", interactive: false });

  const typed = () => {
    const [y, x] = [lat, lon].map((box) => parseFloat(box.value));
    return Number.isFinite(y) && Number.isFinite(x) && Math.abs(y) <= 90 ? L.latLng(y, x) : null;
  };
  const show = (at) => pin.setLatLng(at).addTo(map);
  const put = (at) => {
    lat.value = at.lat.toFixed(6);
    lon.value = at.lng.toFixed(6);
    show(at);
  };
  const begin = typed();
  if (begin) {
    map.setView(begin, 17);
    show(begin);
  } else {
    map.setView([51.5145, -0.0935], 14);
  }
  map.on("click", (event) => put(event.latlng));
  element.addEventListener("keydown", (event) => {
    if (event.key !== "Enter") return;
    // Else the form would be sent.
    event.preventDefault();
    put(map.getCenter());
  });
  [lat, lon].forEach((box) =>
    box.addEventListener("change", () => {
      const at = typed();
      if (at) map.setView(show(at).getLatLng());
    }),
  );

  const drawn = (data, options) => L.geoJSON(data, { interactive: false, ...options }).addTo(map);
  const read = (path, headers) =>
    fetch(path, { headers }).then((answer) => (answer.ok ? answer.json() : Promise.reject()));
  read("/v1/wards")
    .then((wards) => {
      const outlines = drawn(wards, { className: "sh-ward" });
      if (!begin && wards.features.length) map.fitBounds(outlines.getBounds());
    })
    // Without what is there already, a pin can still be put.
    .catch(() => {});
  read("/v1/havens", { Accept: "application/geo+json" })
    .then((havens) =>
      drawn(havens, {
        interactive: true,
        pointToLayer: (haven, at) => {
          // As text: what somebody typed is no markup.
          const name = document.createElement("bdi");
          name.textContent = haven.properties.name;
          return L.circleMarker(at, { radius: 5, className: "sh-placing__other" }).bindTooltip(name);
        },
      }),
    )
    .catch(() => {});
})();

// Making elements. What users wrote becomes text, never markup.

const SVG = "http://www.w3.org/2000/svg";

function fill(element, attributes, children) {
  for (const [name, value] of Object.entries(attributes || {})) {
    if (value === null || value === undefined || value === false) continue;
    if (name.startsWith("on")) element.addEventListener(name.slice(2), value);
    else element.setAttribute(name, value === true ? "" : value);
  }
  for (const child of children.flat()) {
    if (child !== null && child !== undefined && child !== "") element.append(child);
  }
  return element;
}

function make(tag, attributes, ...children) {
  return fill(document.createElement(tag), attributes, children);
}

function draw(tag, attributes, ...children) {
  return fill(document.createElementNS(SVG, tag), attributes, children);
}

function find(id) {
  return document.getElementById(id);
}

function formatSeconds(seconds) {
  if (seconds < 1) return `${Math.round(seconds * 1000)} ms`;
  if (seconds < 60) return `${seconds.toFixed(1)} s`;
  const whole = Math.round(seconds), minutes = Math.floor(whole / 60);
  const two = (number) => String(number).padStart(2, "0");
  if (minutes < 60) return `${minutes} m ${two(whole % 60)} s`;
  return `${Math.floor(minutes / 60)} h ${two(minutes % 60)} m`;
}

function formatCount(count, noun) {
  return `${count.toLocaleString("en")} ${noun}${count === 1 ? "" : "s"}`;
}

function formatTime(milliseconds) {
  const date = new Date(milliseconds), two = (number) => String(number).padStart(2, "0");
  return `${date.getFullYear()}-${two(date.getMonth() + 1)}-${two(date.getDate())} ` +
    `${two(date.getHours())}:${two(date.getMinutes())}:${two(date.getSeconds())}`;
}

// A list of which the first part is shown, and more of it when the end comes into sight or a button is pressed.
function showInParts(parent, items, size, render) {
  let shown = 0;
  const more = make("button", { type: "button", class: "more", onclick: () => grow() });
  const watcher = "IntersectionObserver" in window
    ? new IntersectionObserver((entries) => entries.some((entry) => entry.isIntersecting) && grow(), { rootMargin: "300px" })
    : null;
  function grow(count = size) {
    const part = document.createDocumentFragment();
    for (const item of items.slice(shown, shown + count)) part.append(render(item));
    shown = Math.min(items.length, shown + count);
    parent.append(part);
    more.textContent = `Show more: ${(items.length - shown).toLocaleString("en")} are left`;
    more.hidden = shown >= items.length;
    if (watcher && more.hidden) watcher.disconnect();
  }
  grow();
  if (watcher && !more.hidden) watcher.observe(more);
  return { more, showAtLeast: (count) => grow(Math.max(0, count - shown)), stop: () => watcher && watcher.disconnect() };
}

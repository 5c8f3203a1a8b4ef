// The graphs: moved by dragging, zoomed by the wheel, two fingers or keys. Only what is in sight is in the document.

const FAR = 0.45, NEAR = 3;

function makeGraph(panel) {
  const paths = draw("g"), boxes = draw("g");
  const world = draw("g", {}, paths, boxes);
  const head = draw("marker", { id: "head", viewBox: "0 0 8 8", refX: 7, refY: 4, markerWidth: 7, markerHeight: 7, orient: "auto" },
    draw("path", { class: "head", d: "M0 0L8 4L0 8z" }));
  const canvas = draw("svg", { class: "canvas", tabindex: 0, role: "group", "aria-label": "Graph: arrow keys move, plus and minus zoom, 0 shows all" },
    draw("defs", {}, head), world);
  const kinds = make("div", { class: "choices", role: "group", "aria-label": "Graph" });
  const note = make("p", { class: "note" });
  const bar = make("div", { class: "bar" }, kinds,
    make("div", { class: "choices", role: "group", "aria-label": "Zoom" },
      make("button", { type: "button", id: "zoom-out", title: "Smaller (-)", onclick: () => zoom(1 / 1.4) }, "−"),
      make("button", { type: "button", id: "zoom-in", title: "Larger (+)", onclick: () => zoom(1.4) }, "+"),
      make("button", { type: "button", id: "zoom-fit", title: "Show all (0)", onclick: () => fit() }, "Fit")),
    make("span", { class: "keys" }, "solid arrows: calls or arguments · dashed: results put together"), note);
  panel.append(bar, canvas);

  let graph = null, scale = 1, x = 0, y = 0, isWaiting = false, isFitted = true;
  const made = new Map();

  function load() {
    graph = DATA.graphs[view.graph];
    paths.replaceChildren();
    boxes.replaceChildren();
    made.clear();
    note.textContent = graph.note;
    showKinds();
    fit();
  }

  function showKinds() {
    const [subject, grain] = view.graph.split("-");
    const button = (key, text, isOn) => make("button", {
      type: "button", "aria-pressed": String(isOn), disabled: !(key in DATA.graphs), id: `graph-${key}`,
      title: key in DATA.graphs ? null : "Too many to be drawn one by one: redun viz --no-group draws up to 5,000",
      onclick: () => change({ graph: key }),
    }, text);
    kinds.replaceChildren(
      button(`jobs-${grain}`, "Jobs", subject === "jobs"), button(`dataflow-${grain}`, "Dataflow", subject === "dataflow"),
      make("span", { class: "gap" }),
      button(`${subject}-task`, "By task", grain === "task"), button(`${subject}-call`, "One by one", grain === "call"));
  }

  function size() {
    return [canvas.clientWidth || 800, canvas.clientHeight || 500];
  }

  function fit() {
    const [width, height] = size();
    const whole = Math.min(width / graph.width, height / graph.height);
    scale = Math.min(1.25, Math.max(whole, Math.min(0.8, height / 900)));
    // What does not fit is shown from its beginning: from the left, at the height of the first box.
    x = graph.width * scale <= width ? (width - graph.width * scale) / 2 : 0;
    y = graph.height * scale <= height || !graph.boxes.length ? (height - graph.height * scale) / 2
      : height / 2 - (graph.boxes[0][2] + graph.boxes[0][4] / 2) * scale;
    isFitted = true;
    show();
  }

  function zoom(factor, atX, atY) {
    const [width, height] = size();
    const [px, py] = atX === undefined ? [width / 2, height / 2] : [atX, atY];
    const whole = Math.min(width / graph.width, height / graph.height, 1);
    const next = Math.min(NEAR, Math.max(whole / 2, scale * factor));
    x = px - (px - x) * next / scale;
    y = py - (py - y) * next / scale;
    scale = next;
    isFitted = false;
    show();
  }

  function show() {
    if (isWaiting) return;
    isWaiting = true;
    requestAnimationFrame(() => {
      isWaiting = false;
      world.setAttribute("transform", `translate(${x} ${y}) scale(${scale})`);
      canvas.classList.toggle("far", scale < FAR);
      cull();
    });
  }

  function cull() {
    const [width, height] = size();
    const left = -x / scale - 80, top = -y / scale - 80, right = (width - x) / scale + 80, bottom = (height - y) / scale + 80;
    const keep = new Set();
    graph.boxes.forEach((box, index) => {
      const [, bx, by, bw, bh] = box;
      if (bx <= right && bx + bw >= left && by <= bottom && by + bh >= top) keep.add(`b${index}`);
    });
    graph.arrows.forEach((arrow, index) => {
      const a = graph.boxes[arrow[5]], b = graph.boxes[arrow[6]];
      if (Math.min(a[1], b[1]) <= right && Math.max(a[1] + a[3], b[1] + b[3]) >= left &&
        Math.min(a[2], b[2]) - 200 <= bottom && Math.max(a[2], b[2]) + 240 >= top) keep.add(`a${index}`);
    });
    for (const [key, element] of made) {
      if (!keep.has(key) && element !== document.activeElement) {
        element.remove();
        made.delete(key);
      }
    }
    for (const key of keep) {
      if (made.has(key)) continue;
      const index = Number(key.slice(1)), isBox = key[0] === "b";
      const element = isBox ? drawBox(graph.boxes[index], index) : drawArrow(graph.arrows[index]);
      (isBox ? boxes : paths).append(element);
      made.set(key, element);
    }
  }

  function drawArrow([path, kind, name, labelX, labelY]) {
    return draw("g", {}, draw("path", { class: `arrow ${kind}`, d: path, "marker-end": "url(#head)" }),
      name ? draw("text", { class: "name", x: labelX, y: labelY }, name) : null);
  }

  function drawBox(box, index) {
    const [kind, bx, by, width, height, label, detail, full, status] = box;
    const element = draw("g", {
      class: `node ${kind} ${status || ""}`, transform: `translate(${bx} ${by})`, tabindex: -1, role: "button",
      "aria-label": [full, detail, status].filter(Boolean).join(", "), "data-box": index,
    },
    draw("title", {}, [full, detail, status].filter(Boolean).join("\n")),
    draw("rect", { class: "box", width, height, rx: 6 }),
    draw("path", { class: "stripe", d: `M6 0H5V${height}H6A6 6 0 0 1 0 ${height - 6}V6A6 6 0 0 1 6 0z` }),
    draw("text", { class: "label", x: 14, y: 17 }, label), draw("text", { class: "detail", x: 14, y: 32 }, detail),
    status ? draw("text", { class: "symbol", x: width - 8, y: 17 }, DATA.symbols[status]) : null);
    mark(element, box);
    return element;
  }

  function isChosen([kind, , , , , , , full, , job, task]) {
    const chosen = view.chosen;
    if (!chosen) return false;
    if (kind === "task") return chosen.task === task;
    return kind.startsWith("file") ? chosen.path === full : Boolean(chosen.job) && chosen.job.index === job;
  }

  function isFound([kind, , , , , , , full, , job, task]) {
    if (foundSet === null) return true;
    if (kind === "task") return foundTasks.has(task);
    return kind.startsWith("file") ? words().every((word) => full.toLowerCase().includes(word)) : foundSet.has(job);
  }

  function mark(element, box) {
    element.classList.toggle("dim", !isFound(box));
    element.classList.toggle("chosen", isChosen(box));
  }

  function markAll() {
    for (const [key, element] of made) if (key[0] === "b") mark(element, graph.boxes[Number(key.slice(1))]);
  }

  function open(index) {
    const [kind, , , , , , detail, full, , job, task, count] = graph.boxes[index];
    if (kind === "task") choose({ task });
    else if (kind.startsWith("file")) choose({ path: full, state: detail, count, job: null });
    else if (job !== null) choose({ job: jobs[job] });
  }

  function bring(index) {
    const [, bx, by, bw, bh] = graph.boxes[index], [width, height] = size();
    const sx = bx * scale + x, sy = by * scale + y;
    if (sx < 0 || sy < 0 || sx + bw * scale > width || sy + bh * scale > height) {
      x = width / 2 - (bx + bw / 2) * scale;
      y = height / 2 - (by + bh / 2) * scale;
      isFitted = false;
    }
    show();
  }

  // The box in a direction from another one: along an arrow to the left and right, the next one above or below.
  function step(index, key) {
    const [, bx, by] = graph.boxes[index];
    if (key === "ArrowRight") return graph.arrows.filter((arrow) => arrow[5] === index).map((arrow) => arrow[6])[0];
    if (key === "ArrowLeft") return graph.arrows.filter((arrow) => arrow[6] === index).map((arrow) => arrow[5])[0];
    const sign = key === "ArrowDown" ? 1 : -1;
    let best, least = Infinity;
    graph.boxes.forEach((box, other) => {
      const away = (box[2] - by) * sign;
      if (away > 0 && away + Math.abs(box[1] - bx) * 4 < least) [best, least] = [other, away + Math.abs(box[1] - bx) * 4];
    });
    return best;
  }

  function focusBox(index) {
    bring(index);
    requestAnimationFrame(() => requestAnimationFrame(() => made.get(`b${index}`)?.focus()));
  }

  canvas.addEventListener("keydown", (event) => {
    if (event.ctrlKey || event.metaKey || event.altKey) return;
    const node = event.target.closest("[data-box]");
    const moves = { ArrowLeft: [60, 0], ArrowRight: [-60, 0], ArrowUp: [0, 60], ArrowDown: [0, -60] };
    if (event.key === "+" || event.key === "=") zoom(1.25);
    else if (event.key === "-") zoom(1 / 1.25);
    else if (event.key === "0") fit();
    else if (node && event.key in moves) {
      const next = step(Number(node.dataset.box), event.key);
      if (next !== undefined) focusBox(next);
    } else if (event.key in moves) {
      x += moves[event.key][0];
      y += moves[event.key][1];
      isFitted = false;
      show();
    } else if (event.key === "Enter" || event.key === " ") {
      if (node) open(Number(node.dataset.box));
      else if (graph.boxes.length) focusBox(0);
    } else return;
    event.preventDefault();
  });
  canvas.addEventListener("wheel", (event) => {
    event.preventDefault();
    const area = canvas.getBoundingClientRect();
    zoom(Math.exp(-event.deltaY * (event.deltaMode ? 0.05 : 0.0015)), event.clientX - area.left, event.clientY - area.top);
  }, { passive: false });

  const fingers = new Map();
  let moved = 0, pressed = null;
  canvas.addEventListener("pointerdown", (event) => {
    fingers.set(event.pointerId, [event.clientX, event.clientY]);
    if (fingers.size === 1) [moved, pressed] = [0, event.target.closest("[data-box]")];
    canvas.setPointerCapture(event.pointerId);
  });
  canvas.addEventListener("pointermove", (event) => {
    const before = fingers.get(event.pointerId);
    if (!before) return;
    const now = [event.clientX, event.clientY];
    if (fingers.size === 1) {
      x += now[0] - before[0];
      y += now[1] - before[1];
      moved += Math.abs(now[0] - before[0]) + Math.abs(now[1] - before[1]);
      isFitted = false;
      show();
    } else {
      const [other] = [...fingers].filter(([key]) => key !== event.pointerId).map(([, point]) => point);
      const area = canvas.getBoundingClientRect(), apart = (a, b) => Math.hypot(a[0] - b[0], a[1] - b[1]) || 1;
      zoom(apart(now, other) / apart(before, other), (now[0] + other[0]) / 2 - area.left, (now[1] + other[1]) / 2 - area.top);
      moved = Infinity;
    }
    fingers.set(event.pointerId, now);
  });
  canvas.addEventListener("pointerup", (event) => {
    fingers.delete(event.pointerId);
    if (pressed && moved < 5 && fingers.size === 0) open(Number(pressed.dataset.box));
    if (fingers.size === 0) pressed = null;
  });
  canvas.addEventListener("pointercancel", (event) => fingers.delete(event.pointerId));
  if ("ResizeObserver" in window) {
    new ResizeObserver(() => {
      if (!graph || !canvas.clientWidth) return;
      if (isFitted) fit();
      const chosen = graph.boxes.findIndex(isChosen);
      if (chosen >= 0) bring(chosen);
      else show();
    }).observe(canvas);
  }

  // On paper, all of the graph.
  addEventListener("beforeprint", () => {
    canvas.setAttribute("viewBox", `0 0 ${graph.width} ${graph.height}`);
    world.setAttribute("transform", "");
    [x, y, scale] = [0, 0, Math.min(1, size()[0] / graph.width)];
    if (graph.boxes.length <= 500) {
      for (const [prefix, list, drawItem, parent] of [["b", graph.boxes, drawBox, boxes], ["a", graph.arrows, drawArrow, paths]]) {
        list.forEach((item, index) => {
          if (made.has(prefix + index)) return;
          const element = drawItem(item, index);
          parent.append(element);
          made.set(prefix + index, element);
        });
      }
    }
  });
  addEventListener("afterprint", () => {
    canvas.removeAttribute("viewBox");
    fit();
  });

  onChange((what) => {
    if (what.has("graph")) load();
    else if (what.has("tab") && view.tab === "graph" && graph) show();
    if (what.has("found") || what.has("chosen")) markAll();
  });
  return { load };
}

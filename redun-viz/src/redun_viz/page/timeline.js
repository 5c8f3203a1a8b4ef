// When jobs ran: one row for each task, with how many of its jobs ran at a time, or one row for each job.

const ROWS = 200;

function makeTimeline(panel) {
  const modes = make("div", { class: "choices", role: "group", "aria-label": "Rows" });
  const onlyPath = make("input", { type: "checkbox", id: "only-path", onchange: () => load() });
  const bar = make("div", { class: "bar" }, modes,
    make("div", { class: "choices", role: "group", "aria-label": "Zoom" },
      make("button", { type: "button", title: "Smaller", "aria-label": "Smaller", onclick: () => zoom(1 / 1.6) }, "−"),
      make("button", { type: "button", title: "Larger", "aria-label": "Larger", onclick: () => zoom(1.6) }, "+"),
      make("button", { type: "button", onclick: () => zoom(0) }, "Fit")),
    DATA.path ? make("label", { class: "check" }, onlyPath, "only the critical path") : null);
  const axis = make("div", { class: "axis" });
  const rows = make("div", { class: "rows" });
  const chart = make("div", { class: "chart", tabindex: 0, role: "group", "aria-label": "Timeline" }, axis, rows);
  const waits = make("div", { class: "waits" });
  panel.append(bar, waits, chart);
  let mode = jobs.length <= 60 && jobs.length === DATA.jobCount ? "jobs" : "tasks", stretch = 1, parts = null;

  const percent = (time) => DATA.seconds > 0 ? 100 * Math.min(1, Math.max(0, time / DATA.seconds)) : 0;

  function place(element, start, end) {
    element.style.left = `${percent(start)}%`;
    element.style.width = `${percent(end) - percent(start)}%`;
    return element;
  }

  function zoom(factor) {
    const middle = (chart.scrollLeft + chart.clientWidth / 2) / chart.scrollWidth;
    stretch = factor ? Math.min(200, Math.max(1, stretch * factor)) : 1;
    chart.style.setProperty("--stretch", stretch);
    drawAxis();
    chart.scrollLeft = middle * chart.scrollWidth - chart.clientWidth / 2;
  }

  function drawAxis() {
    const ticks = make("div", { class: "lane" });
    const wanted = DATA.seconds / (8 * stretch), power = 10 ** Math.floor(Math.log10(wanted || 1));
    const tick = [1, 2, 5, 10].map((factor) => factor * power).find((size) => size >= wanted) || 1;
    for (let index = 0; index * tick <= 0.96 * DATA.seconds && index < 2000; index += 1) {
      ticks.append(place(make("span", { class: "tick" }, index ? formatSeconds(index * tick) : "0"), index * tick, index * tick));
    }
    axis.replaceChildren(make("span", { class: "rowname" }, DATA.seconds ? `${formatSeconds(DATA.seconds)} in all` : "no time"), ticks);
  }

  function row(name, status, lane, onclick, isChosen) {
    return make("div", { class: `row ${isChosen ? "chosen" : ""}` },
      make("button", { type: "button", class: `rowname ${status || ""}`, title: name, onclick }, name), lane);
  }

  function drawPath() {
    const lane = make("div", { class: "lane" });
    for (const [index, start, end] of DATA.path) {
      const job = jobs[index];
      lane.append(place(make("span", {
        class: "span path", title: `${job.name}: ${formatSeconds(end - start)}`, onclick: () => choose({ job }),
      }), start, end));
    }
    return row("Critical path", "path", lane, () => { onlyPath.checked = !onlyPath.checked; load(); }, false);
  }

  function drawTask(total) {
    const peak = Math.max(1, ...total.running), size = total.running.length;
    let path = "M0 1";
    total.running.forEach((count, index) => { path += `V${(1 - count / peak).toFixed(3)}H${index + 1}`; });
    const shape = draw("svg", { class: "profile", viewBox: `0 0 ${size} 1`, preserveAspectRatio: "none", "aria-hidden": "true" },
      draw("path", { d: `${path}V1z` }));
    const status = STATUSES.find((one) => total.statuses[one]);
    const failed = total.statuses.FAILED || 0;
    const lane = make("div", { class: "lane", title: total.name },
      place(make("span", { class: "extent" }), total.first, total.last), shape,
      make("span", { class: "remark" }, `${formatCount(total.count, "job")} · ${formatSeconds(total.seconds)} · up to ${peak.toLocaleString("en")} at a time`,
        failed ? make("span", { class: "FAILED" }, ` · ${failed.toLocaleString("en")} failed`) : null));
    const isChosen = Boolean(view.chosen) && view.chosen.task === total.task;
    return row(total.name, status, lane, () => choose({ task: total.task }), isChosen);
  }

  function drawJob(job) {
    const lane = make("div", { class: "lane" },
      place(make("span", {
        class: `span ${job.status}`, onclick: () => choose({ job }),
        title: `${job.name}(${job.call})\n${job.status}, ${formatSeconds(job.seconds)}`,
      }), job.start, job.start + job.seconds),
      job.waits.map(([start, end]) => place(make("span", {
        class: "span path", title: `waited for: ${formatSeconds(end - start)}`, onclick: () => choose({ job }),
      }), start, end)));
    const isChosen = Boolean(view.chosen && view.chosen.job) && view.chosen.job.index === job.index;
    const element = row(job.name, job.status, lane, () => choose({ job }), isChosen);
    element.dataset.job = job.index;
    return element;
  }

  function drawWaits() {
    if (DATA.noPath) waits.replaceChildren(make("h2", {}, "What the time went to"), make("p", { class: "note" }, DATA.noPath));
    if (!DATA.path || !DATA.seconds) return;
    const shares = new Map();
    for (const job of jobs) if (job.wait) shares.set(job.task, (shares.get(job.task) || 0) + job.wait);
    const sorted = [...shares].sort((a, b) => b[1] - a[1]);
    waits.replaceChildren(make("h2", {}, "What the time went to"), make("p", { class: "note" },
      "The critical path: at every moment the one job that the end had to wait for. Only making these faster makes it end earlier."),
    make("ol", {}, sorted.slice(0, 6).map(([task, seconds]) => {
      const meter = make("span", { class: "meter" });
      meter.style.width = `${100 * seconds / DATA.seconds}%`;
      return make("li", {}, make("button", { type: "button", class: "link", onclick: () => choose({ task }) }, DATA.tasks[task]),
        make("span", { class: "number" }, `${formatSeconds(seconds)} · ${Math.round(100 * seconds / DATA.seconds)} %`), meter);
    })));
  }

  function load() {
    if (parts) parts.stop();
    const button = (key, text) => make("button", {
      type: "button", id: `rows-${key}`, "aria-pressed": String(mode === key), onclick: () => { mode = key; load(); },
    }, text);
    modes.replaceChildren(button("tasks", "By task"), button("jobs", "One by one"));
    const shown = mode === "tasks" && !onlyPath.checked
      ? totals.filter((total) => total.count && (foundTasks === null || foundTasks.has(total.task))).sort((a, b) => a.first - b.first)
      : found.filter((job) => !onlyPath.checked || job.wait);
    rows.replaceChildren(...(DATA.path && DATA.path.length ? [drawPath()] : []));
    parts = showInParts(rows, shown, ROWS, (item) => "running" in item ? drawTask(item) : drawJob(item));
    rows.after(parts.more);
    for (const other of chart.querySelectorAll(":scope > .more")) if (other !== parts.more) other.remove();
    drawAxis();
  }

  drawWaits();
  let isStale = true;
  const refresh = () => {
    if (view.tab !== "timeline" || !isStale) return;
    isStale = false;
    load();
  };
  onChange((what) => {
    if (what.has("found")) isStale = true;
    refresh();
    if (what.has("chosen")) {
      const index = view.chosen && view.chosen.job ? String(view.chosen.job.index) : null;
      for (const element of rows.children) element.classList.toggle("chosen", index !== null && element.dataset.job === index);
    }
  });
  addEventListener("beforeprint", () => load());
}

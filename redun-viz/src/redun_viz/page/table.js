// All jobs, or those that are looked for; sorted by a click on a column's name.

const COLUMNS = [
  ["status", "", (job) => STATUSES.indexOf(job.status)],
  ["task", "Task", (job) => job.name],
  ["arguments", "Arguments", (job) => job.call],
  ["result", "Result", (job) => job.result || (job.error === null ? "" : lastLine(DATA.errors[job.error]))],
  ["start", "Started", (job) => job.start],
  ["took", "Took", (job) => -job.seconds],
  ["id", "Job", (job) => job.id],
];
const RENDERED = 100, PRINTED = 500;

function lastLine(text) {
  const lines = text.trimEnd().split("\n");
  return lines[lines.length - 1];
}

function makeTable(panel) {
  let column = "start", isUp = true, parts = null, isStale = true;
  const headings = make("tr", {});
  const body = make("tbody", { id: "jobs" });
  const count = make("p", { class: "note", id: "count", role: "status" });
  const table = make("table", {}, make("thead", {}, headings), body);
  panel.append(count, table);

  function sort(key) {
    if (column === key) isUp = !isUp;
    else [column, isUp] = [key, true];
    load();
  }

  function showHeadings() {
    headings.replaceChildren(...COLUMNS.map(([key, text]) => make("th", {
      class: key, scope: "col", "aria-sort": key === column ? (isUp ? "ascending" : "descending") : null,
    }, make("button", { type: "button", onclick: () => sort(key), "aria-label": text || "Status" },
      text || "Status", key === column ? (isUp ? " ↑" : " ↓") : ""))));
  }

  function load() {
    if (parts) parts.stop();
    showHeadings();
    const [, , value] = COLUMNS.find(([key]) => key === column);
    const keyed = found.map((job) => [value(job), job]);
    if (column !== "start") keyed.sort(([a], [b]) => (a < b ? -1 : a > b ? 1 : 0));
    else keyed.sort(([a, one], [b, other]) => a - b || one.index - other.index);
    const sorted = keyed.map(([, job]) => job);
    if (!isUp) sorted.reverse();
    body.replaceChildren();
    parts = showInParts(body, sorted, RENDERED, renderRow);
    for (const other of panel.querySelectorAll(":scope > .more")) other.remove();
    panel.append(parts.more);
    if (body.firstChild) body.firstChild.tabIndex = 0;
    showCount();
  }

  function showCount() {
    const all = formatCount(jobs.length, "job");
    count.textContent = isNarrowed() ? `${found.length.toLocaleString("en")} of ${all}.` : `${all}.`;
  }

  function renderRow(job) {
    const error = job.error === null ? null : lastLine(DATA.errors[job.error]);
    return make("tr", {
      class: `${job.status} ${view.chosen && view.chosen.job === job ? "chosen" : ""}`, tabindex: -1, "data-job": job.index,
      onclick: () => choose({ job }),
    },
    make("td", { class: "status" }, make("span", { class: "chip" }, `${DATA.symbols[job.status]} ${job.status}`)),
    make("td", { class: "task" }, job.name), make("td", { class: "arguments" }, make("code", {}, job.call)),
    make("td", { class: error === null ? "result" : "result error" }, make("code", {}, error === null ? job.result || "" : error)),
    make("td", { class: "start" }, `+${formatSeconds(job.start)}`),
    make("td", { class: "took" }, job.status === "CACHED" ? "cached" : job.end === null ? "…" : formatSeconds(job.seconds)),
    make("td", { class: "id" }, make("code", {}, job.id.slice(0, 8))));
  }

  body.addEventListener("keydown", (event) => {
    const row = event.target.closest("tr");
    const next = { ArrowDown: row.nextElementSibling, ArrowUp: row.previousElementSibling }[event.key];
    if (next) next.focus();
    else if (event.key === "Enter" || event.key === " ") choose({ job: jobs[Number(row.dataset.job)] });
    else return;
    event.preventDefault();
  });

  const refresh = () => {
    if (view.tab !== "jobs" || !isStale) return;
    isStale = false;
    load();
  };
  onChange((what) => {
    if (what.has("found")) isStale = true;
    refresh();
    if (what.has("chosen")) {
      const index = view.chosen && view.chosen.job ? String(view.chosen.job.index) : null;
      for (const row of body.children) row.classList.toggle("chosen", row.dataset.job === index);
    }
  });
  addEventListener("beforeprint", () => {
    load();
    parts.showAtLeast(PRINTED);
  });
  addEventListener("afterprint", () => load());
}

// The page: what it is about, what is looked for, and which of the three views is shown.

const TABS = [["graph", "Graph"], ["timeline", "Timeline"], ["jobs", "Jobs"]];

function makeHead() {
  find("head").append(
    make("h1", {}, make("span", { class: `chip ${DATA.status}` }, `${DATA.symbols[DATA.status]} ${DATA.status}`), ` ${DATA.name}`,
      DATA.command ? make("code", { class: "run" }, DATA.command) : null),
    make("p", { class: "note" }, [formatTime(DATA.started), `took ${formatSeconds(DATA.seconds)}`,
      `${formatCount(DATA.jobCount, "job")} of ${formatCount(totals.length, "task")}`].join(" · "),
    ...DATA.tags.map((tag) => make("span", { class: "tag" }, tag))),
    ...(DATA.note ? [make("p", { class: "note cut" }, DATA.note)] : []));
}

function makeTools() {
  const box = make("input", {
    type: "search", id: "search", placeholder: "Search jobs: task, argument, result, error, tag, id   ( / )", "aria-label": "Search jobs",
    autocomplete: "off", spellcheck: "false", oninput: () => change({ query: box.value }),
    onkeydown: (event) => event.key === "Enter" && change({ tab: "jobs" }),
  });
  const tabs = make("div", { class: "tabs", role: "tablist" }, TABS.map(([key, text]) => make("button", {
    type: "button", role: "tab", id: `tab-${key}`, "aria-controls": `panel-${key}`, onclick: () => change({ tab: key }),
  }, text)));
  const chips = make("div", { class: "chips", role: "group", "aria-label": "Status" }, STATUSES.filter((status) => counts[status]).map((status) => (
    make("button", { type: "button", class: `chip ${status}`, "data-status": status, onclick: () => toggleStatus(status) },
      `${DATA.symbols[status]} ${counts[status].toLocaleString("en")} ${status.toLowerCase()}`))));
  const clear = make("button", {
    type: "button", id: "clear", hidden: true, onclick: () => { box.value = ""; change({ query: "", statuses: new Set(), task: null }); },
  });
  tabs.addEventListener("keydown", (event) => {
    const at = TABS.findIndex(([key]) => key === view.tab), move = { ArrowRight: 1, ArrowLeft: -1 }[event.key];
    if (!move) return;
    const [key] = TABS[(at + move + TABS.length) % TABS.length];
    change({ tab: key });
    find(`tab-${key}`).focus();
  });
  find("tools").append(tabs, box, chips, clear);

  onChange((what) => {
    for (const [key] of TABS) {
      find(`tab-${key}`).setAttribute("aria-selected", String(view.tab === key));
      find(`tab-${key}`).tabIndex = view.tab === key ? 0 : -1;
      find(`panel-${key}`).classList.toggle("shown", view.tab === key);
    }
    for (const chip of chips.children) chip.setAttribute("aria-pressed", String(view.statuses.has(chip.dataset.status)));
    if (what.has("query") && box.value !== view.query) box.value = view.query;
    const task = view.task === null ? "" : ` of ${DATA.tasks[view.task]}`;
    clear.hidden = !isNarrowed();
    clear.textContent = `${formatCount(found.length, "job")}${task} ✕`;
    clear.title = "Show all jobs";
  });
  return box;
}

function start() {
  makeHead();
  const box = makeTools();
  // Panels that follow are laid out before the graph asks for its size.
  const graph = makeGraph(find("panel-graph"));
  makeTimeline(find("panel-timeline"));
  makeTable(find("panel-jobs"));
  const detail = makeDetail(find("detail"));
  addEventListener("keydown", (event) => {
    const isTyping = event.target instanceof HTMLInputElement;
    if (event.key === "Escape" && view.chosen) detail.close();
    else if (event.key === "/" && !isTyping && !event.ctrlKey && !event.metaKey) {
      event.preventDefault();
      box.focus();
    }
  });
  addEventListener("hashchange", () => change(recall()));
  change({ tab: "graph", ...recall() });
  graph.load();
  document.body.dataset.ready = "true";
}

start();

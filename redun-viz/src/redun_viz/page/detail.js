// What is known of the job, task or file that is chosen.

const LISTED = 50;

function makeDetail(aside) {
  let before = null;

  function close() {
    choose(null);
    if (before && before.isConnected) before.focus();
  }

  function command(text) {
    const copy = make("button", {
      type: "button", class: "copy", title: "Copy",
      onclick: () => copyText(text).then((isDone) => { copy.textContent = isDone ? "copied" : "select it"; }),
    }, "copy");
    return make("p", { class: "command" }, make("code", {}, text), copy);
  }

  function listJobs(title, list) {
    if (!list.length) return null;
    const items = list.slice(0, LISTED).map((job) => make("li", { class: job.status },
      make("button", { type: "button", class: "link", onclick: () => choose({ job }) },
        make("span", { class: "symbol" }, DATA.symbols[job.status]), ` ${job.name}(${job.call})`.slice(0, 120)),
      make("span", { class: "number" }, job.status === "CACHED" ? "cached" : formatSeconds(job.seconds))));
    const more = list.length > LISTED ? make("li", { class: "note" }, `and ${(list.length - LISTED).toLocaleString("en")} more`) : null;
    return [make("h3", {}, title), make("ul", { class: "jobs" }, items, more)];
  }

  function block(title, text, className) {
    return text ? [make("h3", {}, title), make("pre", { class: className || null }, text)] : null;
  }

  function fact(name, ...value) {
    return [make("dt", {}, name), make("dd", {}, ...value)];
  }

  function describeJob(job) {
    const parent = job.parent === null ? null : jobs[job.parent];
    return [
      heading(job.name, job.status),
      make("dl", {},
        fact("Job", make("code", {}, job.id)),
        parent ? fact("Called by", make("button", { type: "button", class: "link", onclick: () => choose({ job: parent }) }, parent.name)) : null,
        fact("Started", `${formatTime(DATA.started + job.start * 1000)}, ${formatSeconds(job.start)} after the start`),
        fact("Took", job.status === "CACHED" ? "nothing: it was answered from the cache" : formatSeconds(job.seconds) + (job.end === null ? " so far" : "")),
        job.wait ? fact("Waited for", `${formatSeconds(job.wait)}, on the critical path`) : null,
        job.tags.length ? fact("Tags", job.tags.map((tag) => make("span", { class: "tag" }, tag))) : null),
      job.args.length ? [make("h3", {}, "Arguments"), make("table", { class: "values" }, make("tbody", {}, job.args.map(([name, value]) => (
        make("tr", {}, make("th", { scope: "row" }, name), make("td", {}, make("code", {}, value)))))))] : null,
      job.error === null ? block("Result", job.result) : block("Error", DATA.errors[job.error], "error"),
      block("Source", DATA.sources[job.task]),
      listJobs("Calls", job.children),
      make("h3", {}, "More"), command(`redun log ${job.id.slice(0, 8)}`), command(`redun why ${job.id.slice(0, 8)}`),
    ];
  }

  function describeTask(task) {
    const total = totals.find((one) => one.task === task);
    const own = jobs.filter((job) => job.task === task);
    const waited = own.reduce((sum, job) => sum + job.wait, 0);
    return [
      heading(DATA.tasks[task], null),
      make("p", {}, make("button", { type: "button", id: "only-task", onclick: () => change({ task: view.task === task ? null : task, tab: "jobs" }) },
        view.task === task ? "Show the jobs of all tasks" : "Show its jobs only")),
      total ? make("dl", {},
        fact("Jobs", STATUSES.filter((status) => total.statuses[status]).map((status) => make("span", { class: `chip ${status}` }, `${DATA.symbols[status]} ${total.statuses[status].toLocaleString("en")} ${status}`))),
        fact("Took", `${formatSeconds(total.seconds)} together`),
        fact("Ran", `from ${formatSeconds(total.first)} to ${formatSeconds(total.last)} after the start, up to ${Math.max(0, ...total.running).toLocaleString("en")} at a time`),
        waited ? fact("Waited for", `${formatSeconds(waited)}, on the critical path`) : null) : null,
      listJobs("Failed", own.filter((job) => job.status === "FAILED")),
      listJobs("Longest", own.filter((job) => job.status !== "CACHED").sort((a, b) => b.seconds - a.seconds).slice(0, 10)),
      block("Source", DATA.sources[task]),
      make("h3", {}, "More"), command(`redun log ${DATA.tasks[task]}`), command(`redun why ${DATA.tasks[task]}`),
    ];
  }

  function describeFile({ path, state, count }) {
    return [
      heading(path, null),
      count > 1 ? make("p", {}, `${formatCount(count, "file")}: this one ${state}.`) : make("dl", {}, fact("State", make("code", {}, state))),
      make("h3", {}, "More"), command(`redun log ${quote(path)}`), command(`redun why ${quote(path)}`),
    ];
  }

  function heading(text, status) {
    return make("div", { class: "title" }, make("h2", {}, text),
      status ? make("span", { class: `chip ${status}` }, `${DATA.symbols[status]} ${status}`) : null,
      make("button", { type: "button", id: "close", "aria-label": "Close", title: "Close (Esc)", onclick: close }, "✕"));
  }

  function load() {
    const chosen = view.chosen;
    aside.hidden = !chosen;
    document.body.classList.toggle("detailed", Boolean(chosen));
    if (!chosen) return;
    if (!aside.contains(document.activeElement)) before = document.activeElement;
    const parts = chosen.job ? describeJob(chosen.job) : chosen.path !== undefined ? describeFile(chosen) : describeTask(chosen.task);
    aside.replaceChildren(...parts.flat(2).filter(Boolean));
    aside.scrollTop = 0;
  }

  onChange((what) => (what.has("chosen") || what.has("task")) && load());
  return { close };
}

// A path as a shell takes it, whatever is in it.
function quote(text) {
  return /^[\w@%+=:,./-]+$/.test(text) ? text : `'${text.replaceAll("'", "'\\''")}'`;
}

async function copyText(text) {
  try {
    await navigator.clipboard.writeText(text);
    return true;
  } catch (error) {
    return false;
  }
}

// The data of the page, what of it is looked for, and which job is chosen. Views are told when that changes.

const DATA = JSON.parse(find("data").textContent);
const STATUSES = ["FAILED", "LOST", "RUNNING", "DONE", "CACHED"];

const jobs = DATA.jobs.map(([id, parent, task, status, start, end, args, result, error, tags], index) => (
  { index, id, parent, task, name: DATA.tasks[task], status, start, end, args, result, error, tags, children: [], wait: 0, waits: [] }
));
for (const job of jobs) {
  job.seconds = Math.max(0, (job.end === null ? DATA.seconds : job.end) - job.start);
  job.call = job.args.map(([name, value]) => `${name}=${value}`).join(", ");
  if (job.parent !== null) jobs[job.parent].children.push(job);
}
for (const [index, start, end] of DATA.path || []) {
  jobs[index].wait += end - start;
  jobs[index].waits.push([start, end]);
}
const byId = new Map(jobs.map((job) => [job.id, job]));

const totals = DATA.totals.map(([task, count, statuses, seconds, first, last, running]) => (
  { task, name: DATA.tasks[task], count, statuses, seconds, first, last, running }
));
const counts = {};
for (const total of totals) {
  for (const [status, count] of Object.entries(total.statuses)) counts[status] = (counts[status] || 0) + count;
}

const view = { query: "", statuses: new Set(), task: null, chosen: null, tab: "graph", graph: DATA.first };
const listeners = [];
let found = jobs, foundSet = null, foundTasks = null;

function onChange(listener) {
  listeners.push(listener);
}

function haystack(job) {
  if (job.text === undefined) {
    const error = job.error === null ? "" : DATA.errors[job.error];
    job.text = [job.name, job.id, job.status, job.call, job.result || "", job.tags.join(" "), error].join("\n").toLowerCase();
  }
  return job.text;
}

function isNarrowed() {
  return view.query !== "" || view.statuses.size > 0 || view.task !== null;
}

function words() {
  return view.query.toLowerCase().split(/\s+/).filter(Boolean);
}

function search() {
  const wanted = words();
  found = jobs.filter((job) => (view.statuses.size === 0 || view.statuses.has(job.status)) &&
    (view.task === null || job.task === view.task) && wanted.every((word) => haystack(job).includes(word)));
  foundSet = isNarrowed() ? new Set(found.map((job) => job.index)) : null;
  foundTasks = isNarrowed() ? new Set(found.map((job) => job.task)) : null;
}

// Changes what is looked for or shown, and tells the views: "found" when other jobs are found, or what else changed.
function change(changes) {
  Object.assign(view, changes);
  const isSearch = "query" in changes || "statuses" in changes || "task" in changes;
  if (isSearch) search();
  const what = new Set([...Object.keys(changes), ...(isSearch ? ["found"] : [])]);
  for (const listener of listeners) listener(what);
  remember();
}

function toggleStatus(status) {
  const statuses = new Set(view.statuses);
  if (!statuses.delete(status)) statuses.add(status);
  change({ statuses });
}

function choose(chosen) {
  change({ chosen });
}

// The address names the place in the page, so that it can be kept and sent along with the file.
function remember() {
  const parts = [`tab=${view.tab}`, `graph=${view.graph}`];
  if (view.chosen && view.chosen.job) parts.push(`job=${view.chosen.job.id}`);
  if (view.query) parts.push(`q=${encodeURIComponent(view.query)}`);
  try {
    history.replaceState(null, "", `#${parts.join("&")}`);
  } catch (error) {
    // Some browsers keep the address of files as it is; the page works without.
  }
}

function recall() {
  const wanted = new URLSearchParams(location.hash.slice(1));
  const changes = {};
  if (["graph", "timeline", "jobs"].includes(wanted.get("tab"))) changes.tab = wanted.get("tab");
  if (wanted.get("graph") in DATA.graphs) changes.graph = wanted.get("graph");
  if (wanted.get("q")) changes.query = wanted.get("q");
  if (byId.has(wanted.get("job"))) changes.chosen = { job: byId.get(wanted.get("job")) };
  return changes;
}

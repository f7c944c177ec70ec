/** One line of metrics: a name, its labels and its value. */
export interface Series {
  readonly name: string;
  readonly labels: Readonly<Record<string, string>>;
  readonly value: number;
}

const NAME = /^[a-zA-Z_:][a-zA-Z0-9_:]*$/;
const LINE = /^([a-zA-Z_:][a-zA-Z0-9_:]*)(?:\{(.*)\})? (\S+)$/;
const LABEL = /([a-zA-Z_][a-zA-Z0-9_]*)="((?:[^"\\]|\\["\\n])*)"(?:,|$)/y;
const TYPES = ['counter', 'gauge', 'histogram', 'summary', 'untyped'];

function labelsOf(text: string, line: string): Record<string, string> {
  const labels: Record<string, string> = {};
  LABEL.lastIndex = 0;
  while (LABEL.lastIndex < text.length) {
    const [, name = '', value = ''] = LABEL.exec(text) ?? [];
    if (name === '' || name in labels) throw new Error(`labels cannot be read: ${line}`);
    labels[name] = value.replace(/\\(["\\n])/g, (_, one) => (one === 'n' ? '\n' : one));
  }
  return labels;
}

function numberOf(text: string, line: string): number {
  const special: Record<string, number> = {
    '+Inf': Number.POSITIVE_INFINITY,
    '-Inf': Number.NEGATIVE_INFINITY,
    NaN: Number.NaN,
    Nan: Number.NaN,
  };
  const value = special[text] ?? Number(text);
  if (Number.isNaN(value) && special[text] === undefined) throw new Error(`no value: ${line}`);
  return value;
}

/** The family that a line belongs to: histograms have lines of three names. */
function familyOf(name: string, types: ReadonlyMap<string, string>): string {
  const family = name.replace(/_(bucket|sum|count)$/, '');
  const isPart = ['histogram', 'summary'].includes(types.get(family) ?? '');
  return isPart ? family : name;
}

/**
 * Metrics in Prometheus' text format (0.0.4), read strictly: each family has its HELP and TYPE once
 * and before its lines, no line is there twice, and each buckets of a histogram hold no fewer than
 * the ones before. Throws an error that quotes the line.
 */
export function parseMetrics(text: string): readonly Series[] {
  if (!text.endsWith('\n')) throw new Error('the last line has no end');
  const types = new Map<string, string>();
  const helps = new Set<string>();
  const seen = new Set<string>();
  const all: Series[] = [];
  for (const line of text.split('\n').filter((each) => each !== '')) {
    const [, keyword, name = '', rest = ''] = /^# (HELP|TYPE) (\S+) (.+)$/.exec(line) ?? [];
    if (keyword !== undefined) {
      const isNew = keyword === 'HELP' ? !helps.has(name) : !types.has(name);
      if (!NAME.test(name) || !isNew) throw new Error(`said twice, or no name: ${line}`);
      if (keyword === 'HELP') helps.add(name);
      else if (TYPES.includes(rest)) types.set(name, rest);
      else throw new Error(`no type: ${line}`);
      continue;
    }
    const [, series = '', labels = '', value = ''] = LINE.exec(line) ?? [];
    const family = familyOf(series, types);
    if (!types.has(family) || !helps.has(family)) throw new Error(`not introduced: ${line}`);
    const read = { name: series, labels: labelsOf(labels, line), value: numberOf(value, line) };
    const key = keyOf(read);
    if (seen.has(key)) throw new Error(`there twice: ${line}`);
    seen.add(key);
    all.push(read);
  }
  checkHistograms(all, types);
  return all;
}

function checkHistograms(all: readonly Series[], types: ReadonlyMap<string, string>): void {
  const last = new Map<string, { le: number; value: number }>();
  for (const { name, labels, value } of all) {
    if (!name.endsWith('_bucket') || types.get(familyOf(name, types)) !== 'histogram') continue;
    const { le = '', ...rest } = labels;
    const key = keyOf({ name: name.replace(/_bucket$/, '_count'), labels: rest });
    const before = last.get(key) ?? { le: Number.NEGATIVE_INFINITY, value: 0 };
    const bound = numberOf(le, name);
    if (bound <= before.le || value < before.value) throw new Error(`buckets fall: ${key} ${le}`);
    last.set(key, { le: bound, value });
  }
  for (const [key, { le, value }] of last) {
    const count = all.find((each) => keyOf(each) === key)?.value;
    if (le !== Number.POSITIVE_INFINITY || value !== count) throw new Error(`no end: ${key}`);
  }
}

/** `name{label="value"}` with the labels sorted. */
export function keyOf({ name, labels }: Pick<Series, 'name' | 'labels'>): string {
  const pairs = Object.entries(labels)
    .map(([label, value]) => `${label}=${JSON.stringify(value)}`)
    .sort();
  return `${name}{${pairs.join(',')}}`;
}

/** The lines of one name, their values by the values of these labels, joined with a space. */
export function valuesOf(
  all: readonly Series[],
  name: string,
  labels: readonly string[],
): Record<string, number> {
  const values: Record<string, number> = {};
  for (const series of all.filter((each) => each.name === name)) {
    const key = labels.map((label) => series.labels[label]).join(' ');
    values[key] = (values[key] ?? 0) + series.value;
  }
  return values;
}

/** What has grown between two readings; what has not is left out. */
export function growthOf(
  before: Readonly<Record<string, number>>,
  after: Readonly<Record<string, number>>,
): Record<string, number> {
  const grown = Object.entries(after).map(([key, value]) => [key, value - (before[key] ?? 0)]);
  return Object.fromEntries(grown.filter(([, by]) => by !== 0));
}

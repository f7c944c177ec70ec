import { createContext, Script } from 'node:vm';
import { couchError } from './errors.js';

/** CouchDB's `os_process_timeout`: how long a view function may run. */
const TIMEOUT_MS = 5000;

/**
 * The globals of CouchDB's view server. Only texts cross the border, so code in the sandbox never
 * holds an object of ours. Every map gets its own copy of a document, and a map that throws emits
 * nothing for that document.
 */
const BOOTSTRAP = `
var emit, sum, isArray = Array.isArray, log = function () {}, toJSON = JSON.stringify, __store;
(function () {
  var stringify = JSON.stringify, parse = JSON.parse;
  var maps = [], reduces = {}, filters = {}, emitted = [];
  emit = function (key, value) { emitted.push([key, value]); };
  sum = function (values) {
    var total = 0;
    for (var i = 0; i < values.length; i += 1) total += values[i];
    return total;
  };
  function runMap(map, text) {
    emitted = [];
    try { map(parse(text)); return stringify(emitted); } catch (error) { return '[]'; }
  }
  __store = {
    addMap: function (fn) {
      if (typeof fn !== 'function') return false;
      maps.push(fn);
      return true;
    },
    addReduce: function (name, fn) {
      if (typeof fn !== 'function') return false;
      reduces[name] = fn;
      return true;
    },
    addFilter: function (fn) {
      if (typeof fn !== 'function') return false;
      filters.filter = fn;
      return true;
    },
    map: function (texts) {
      return '[' + parse(texts).map(function (text) {
        return '[' + maps.map(function (map) { return runMap(map, text); }).join(',') + ']';
      }).join(',') + ']';
    },
    reduce: function (name, keys, values) {
      try {
        var result = stringify(reduces[name](parse(keys), parse(values), false));
        return result === undefined ? 'null' : result;
      } catch (error) { return 'null'; }
    },
    filter: function (text, request) {
      return stringify(parse(text).map(function (doc) {
        try { return Boolean(filters.filter(doc, parse(request))); } catch (error) { return false; }
      }));
    }
  };
})();
`;

/** Where the functions of one design document run. */
export class ViewSandbox {
  readonly #context = createContext(Object.create(null), { microtaskMode: 'afterEvaluate' });

  constructor() {
    this.#run(BOOTSTRAP);
  }

  /** Adds a map function; maps run in the order they were added. */
  addMap(view: string, source: string): void {
    this.#add('__store.addMap', source, `map function in the '${view}' view`);
  }

  addReduce(view: string, source: string): void {
    const call = `__store.addReduce.bind(null, ${JSON.stringify(view)})`;
    this.#add(call, source, `reduce function in the '${view}' view`);
  }

  addFilter(source: string): void {
    this.#add('__store.addFilter', source, 'filter function');
  }

  /** What the maps emit: for every document, for every map, pairs of key and value. */
  map(docs: readonly object[]): readonly (readonly (readonly [unknown, unknown])[])[][] {
    const texts = JSON.stringify(docs.map((doc) => JSON.stringify(doc)));
    return JSON.parse(this.#run(`__store.map(${JSON.stringify(texts)})`));
  }

  /** One call of a reduce function; null when it throws, as in CouchDB. */
  reduce(view: string, keys: readonly unknown[], values: readonly unknown[]): unknown {
    const [name, keyText, valueText] = [view, JSON.stringify(keys), JSON.stringify(values)].map(
      (text) => JSON.stringify(text),
    );
    return JSON.parse(this.#run(`__store.reduce(${name}, ${keyText}, ${valueText})`));
  }

  /** Which documents a filter function lets through. */
  filter(docs: readonly object[], request: object): readonly boolean[] {
    const texts = [docs, request].map((value) => JSON.stringify(JSON.stringify(value)));
    return JSON.parse(this.#run(`__store.filter(${texts.join(', ')})`));
  }

  #add(call: string, source: string, what: string): void {
    const text = source.trim().replace(/;$/, '');
    const failed = (why: string) =>
      couchError(400, 'compilation_error', `Compilation of the ${what} failed: ${why} (${source})`);
    try {
      new Script(`(${text}\n)`);
    } catch (error) {
      throw failed(error instanceof Error ? error.message : String(error));
    }
    if (this.#run(`(${call})((${text}\n)) ? 'function' : ''`) === '') {
      throw failed('Expression does not eval to a function.');
    }
  }

  #run(code: string): string {
    try {
      return String(new Script(code).runInContext(this.#context, { timeout: TIMEOUT_MS }));
    } catch (error) {
      if ((error as NodeJS.ErrnoException).code !== 'ERR_SCRIPT_EXECUTION_TIMEOUT') throw error;
      throw couchError(
        500,
        'timeout',
        'The request could not be processed in a reasonable amount of time.',
      );
    }
  }
}

/**
 * What functions of design documents find around them, as in CouchDB's view server, and the one way
 * in: `__store.dispatch(operation, input)`. Only texts cross the border, in lines, because JSON has
 * no line breaks of its own. Loops instead of array methods, because the functions may replace
 * those. Buffers are taken away: their memory is outside the heap that is limited.
 */
export const USER_CODE_GLOBALS = `
var emit, sum, isArray = Array.isArray, log = function () {}, toJSON = JSON.stringify, require;
(function (global) {
  'use strict';
  var stringify = JSON.stringify, parse = JSON.parse, split = Function.call.bind(''.split);
  var slice = Function.call.bind(''.slice), lastIndexOf = Function.call.bind(''.lastIndexOf);
  var gone = ['ArrayBuffer', 'SharedArrayBuffer', 'DataView', 'Atomics', 'WebAssembly', 'console',
    'Int8Array', 'Uint8Array', 'Uint8ClampedArray', 'Int16Array', 'Uint16Array', 'Int32Array',
    'Uint32Array', 'Float32Array', 'Float64Array', 'BigInt64Array', 'BigUint64Array'];
  for (var g = 0; g < gone.length; g += 1) delete global[gone[g]];
  var functions = { map: [], reduce: {}, filter: {}, validate: {} }, modules = {}, loaded = {};
  var emitted = [];
  emit = function (key, value) { emitted[emitted.length] = [key, value]; };
  sum = function (values) {
    var total = 0;
    for (var i = 0; i < values.length; i += 1) total += values[i];
    return total;
  };
  function resolve(path, from) {
    var names = split(path, '/'), at = [], i;
    if (names[0] === '.' || names[0] === '..') {
      var base = split(from, '/');
      for (i = 0; i < base.length - 1; i += 1) at[at.length] = base[i];
    }
    for (i = 0; i < names.length; i += 1) {
      if (names[i] === '..') at.length -= 1;
      else if (names[i] !== '.') at[at.length] = names[i];
    }
    var found = '';
    for (i = 0; i < at.length; i += 1) found += (i === 0 ? '' : '/') + at[i];
    return found;
  }
  function load(path, from) {
    var name = resolve(path, from);
    if (!modules['$' + name]) {
      throw { error: 'invalid_require_path', reason: 'Object has no property ' + name };
    }
    if (!loaded['$' + name]) {
      var module = { id: name, exports: {} };
      loaded['$' + name] = module;
      modules['$' + name].call({}, module, module.exports, function (next) {
        return load(next, name);
      });
    }
    return loaded['$' + name].exports;
  }
  require = function (path) { return load(path, ''); };
  function runMap(map, text) {
    emitted = [];
    try { map(parse(text)); return stringify(emitted); } catch (error) { return '[]'; }
  }
  function refusalOf(error) {
    if (error && error.forbidden !== undefined) return { forbidden: error.forbidden };
    if (error && error.unauthorized !== undefined) return { unauthorized: error.unauthorized };
    return { error: String((error && error.name) || 'unknown_error'),
      reason: String((error && (error.message || error.reason)) || error) };
  }
  var operations = {
    map: function (name, lines) {
      var rows = '[';
      for (var n = 0; n < lines.length; n += 1) {
        rows += n === 0 ? '[' : ',[';
        for (var m = 0; m < functions.map.length; m += 1) {
          rows += (m === 0 ? '' : ',') + runMap(functions.map[m], lines[n]);
        }
        rows += ']';
      }
      return rows + ']';
    },
    reduce: function (name, lines) {
      var results = '[', reduce = functions.reduce['$' + name];
      for (var n = 0; n < lines.length; n += 2) {
        var text;
        try { text = stringify(reduce(parse(lines[n]), parse(lines[n + 1]), false)); }
        catch (error) { text = undefined; }
        results += (n === 0 ? '' : ',') + (text === undefined ? 'null' : text);
      }
      return results + ']';
    },
    filter: function (name, lines) {
      var results = '[', filter = functions.filter['$' + name];
      for (var n = 1; n < lines.length; n += 1) {
        var passes = false;
        try { passes = Boolean(filter(parse(lines[n]), parse(lines[0]))); } catch (error) {}
        results += (n === 1 ? '' : ',') + passes;
      }
      return results + ']';
    },
    validate: function (name, lines) {
      var results = '[', validate = functions.validate['$' + name];
      for (var n = 2; n < lines.length; n += 2) {
        var text = 'null';
        try { validate(parse(lines[n]), parse(lines[n + 1]), parse(lines[0]), parse(lines[1])); }
        catch (error) {
          try { text = stringify(refusalOf(error)); } catch (worse) { text = '{"error":"Error"}'; }
        }
        results += (n === 2 ? '' : ',') + text;
      }
      return results + ']';
    }
  };
  Object.defineProperty(global, '__store', { value: {
    add: function (kind, name, fn) {
      if (typeof fn !== 'function') return '';
      if (kind === 'map') functions.map[functions.map.length] = fn;
      else functions[kind]['$' + name] = fn;
      return 'function';
    },
    module: function (name, fn) { modules['$' + name] = fn; return 'function'; },
    dispatch: function (operation, name, input) {
      return operations[operation](name, split(input, '\\n'));
    }
  } });
  Object.freeze(__store);
})(globalThis);
`;

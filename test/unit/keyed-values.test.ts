import { placeName } from '../../src/core/sealed-place.js';
import { createSecretBox, generateKeyring, parseKeyring } from '../../src/core/secret-box.js';
import { listKeyedValues, replaceValues } from '../../src/couch/keyed-values.js';

const box = createSecretBox(parseKeyring(generateKeyring()));
const other = createSecretBox(parseKeyring(generateKeyring()));
const ID = 'a-document';

describe('the name of a place', () => {
  it('is made of the members on the way, and of the place in a list', () => {
    expect(placeName(['pvt_api_key'])).toBe('pvt_api_key');
    expect(placeName(['voice', 'sip', 'password'])).toBe('voice.sip.password');
    expect(placeName(['pvt_answer', { n: 2, count: 3 }])).toBe('pvt_answer 2/3');
    expect(placeName(['a', { n: 1, count: 2 }, 'b'])).toBe('a 1/2.b');
  });

  it('is never that of another place', () => {
    const places = [
      ['a.b'],
      ['a', 'b'],
      ['a%2Eb'],
      ['a', { n: 1, count: 1 }],
      ['a 1/1'],
      ['', 'a'],
      ['a'],
    ];
    const names = places.map((steps) => placeName(steps));
    expect(new Set(names).size).toBe(places.length);
  });
});

describe('what was made with a key', () => {
  const deep = box.seal('deep', ID, 'voice.sip.password');
  const piece = box.seal('piece', ID, 'pieces 2/2');
  const digest = box.digest('purpose', 'value');
  const demo = box.digest('purpose', 'value', 'demo');
  const doc = {
    _id: ID,
    pvt_key: box.seal('key', ID, 'pvt_key'),
    pvt_moved: box.seal('key', ID, 'pvt_key'),
    pvt_foreign: other.seal('key', ID, 'pvt_foreign'),
    pvt_short: box.seal('', ID, 'pvt_short'),
    pvt_key_digest: digest,
    pvt_demo_digest: demo,
    pvt_demo: demo,
    name: 'v1.a version',
    voice: { sip: { password: deep } },
    pieces: ['plain', piece],
    number: 1,
    nothing: null,
  };

  it('is found wherever it stands, and judged by whether it opens there', () => {
    const found = listKeyedValues(box, doc).map(({ field, kid, kind }) => [field, kid, kind]);
    const [own, strange] = [box.primaryKid, other.primaryKid];
    expect(found.sort()).toEqual(
      [
        ['pvt_key', own, 'sealed'],
        ['pvt_short', own, 'sealed'],
        ['voice.sip.password', own, 'sealed'],
        ['pieces 2/2', own, 'sealed'],
        ['pvt_moved', own, 'strange'],
        ['pvt_foreign', strange, 'strange'],
        ['pvt_key_digest', own, 'digest'],
        ['pvt_demo_digest', own, 'digest'],
      ].sort(),
    );
  });

  it('is replaced where it stands, in a copy', () => {
    const values = listKeyedValues(box, doc).filter(({ kind }) => kind === 'sealed');
    const before = JSON.stringify(doc);
    const after = replaceValues(
      doc,
      values.map(({ steps, field }) => ({ steps, text: `<${field}>` })),
    );
    expect(after).toEqual({
      ...doc,
      pvt_key: '<pvt_key>',
      pvt_short: '<pvt_short>',
      voice: { sip: { password: '<voice.sip.password>' } },
      pieces: ['plain', '<pieces 2/2>'],
    });
    expect(JSON.stringify(doc)).toBe(before);
  });

  it('is found in a document that is nested deeper than calls can be', () => {
    let nested: object = { pvt: box.seal('x', ID, 'nowhere') };
    for (let n = 0; n < 20_000; n += 1) nested = { a: nested };
    expect(listKeyedValues(box, { _id: ID, nested })).toHaveLength(1);
  });
});

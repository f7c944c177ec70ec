import { readdir, readFile } from 'node:fs/promises';
import { join, relative } from 'node:path';
import { ACCOUNT_VIEWS, systemDatabases, USAGE_VIEWS } from '../../src/couch/databases.js';
import { readDesigns } from '../../src/couch/ddocs.js';
import { VIEWS_DIR } from '../../src/couch/install.js';
import { samples } from './samples.js';
import { runMap } from './view-server.js';

const files = (await readdir(VIEWS_DIR, { recursive: true })).filter((file) =>
  file.endsWith('map.js'),
);
const views = files.map((file) => relative('.', file).replace(/\/map\.js$/, '')).sort();

/** `free`, `key` and `sipAccount` are names of samples, not of types. */
const TYPES = Object.keys(samples).filter((name) => !['free', 'key', 'sipAccount'].includes(name));

describe('every view', () => {
  test('belongs to a system database, or to the databases of accounts or of months', async () => {
    const folders = systemDatabases.flatMap(({ views: folder }) => folder ?? []);
    expect((await readdir(VIEWS_DIR)).sort()).toEqual(
      [...folders, ACCOUNT_VIEWS, USAGE_VIEWS].sort(),
    );
  });

  test.each(views)('%s says above its function what it answers and by which key', async (view) => {
    const text = await readFile(join(VIEWS_DIR, view, 'map.js'), 'utf8');
    expect(text).toMatch(/^\/\/ [^\n]+\?[\s\S]*?Key: [\s\S]*?\nfunction map\(doc\) \{\n/);
    expect(text).not.toMatch(/emit\([^;]*\bdoc\)/);
    expect(Math.max(...text.split('\n').map(({ length }) => length))).toBeLessThanOrEqual(100);
  });

  test.each(views)(
    '%s never throws and emits nothing for what is not its business',
    async (view) => {
      const everything = view === 'account/telcouch/copies_by_type';
      const strange = {
        type: null,
        name: 1,
        pvt_tree: 'x',
        ips: [null, 1, {}],
        sso: 1,
        hotdesk: 1,
      };
      for (const doc of [{}, strange, { pvt_type: 7 }, { ...strange, pvt_type: 'unheard_of' }]) {
        const rows = await runMap(view, { _id: 'x', ...doc });
        if (!everything) expect(rows).toEqual([]);
      }
      for (const pvt_type of TYPES) {
        await runMap(view, { _id: 'x', ...strange, pvt_type });
        await runMap(view, { _id: 'x', pvt_type, name: null, realm: null, sso: {}, ips: {} });
        const deleted = { ...samples[pvt_type], pvt_deleted: true };
        if (!everything) expect(await runMap(view, deleted)).toEqual([]);
      }
    },
  );

  test.each(views)('%s emits something for a document of its kind', async (view) => {
    const rows = await Promise.all(Object.values(samples).map((doc) => runMap(view, doc)));
    expect(rows.flat().length).toBeGreaterThan(0);
  });

  test.each(['accounts', 'dedicated_ips', 'account'])(
    'of %s can be read for a deploy',
    async (folder) => {
      const designs = await readDesigns(join(VIEWS_DIR, folder));
      for (const { views: texts } of designs) {
        for (const { map } of Object.values(texts))
          expect(map).toMatch(/^\(function map\(doc\) \{/);
      }
    },
  );
});

// Who may import whom (ARCHITECTURE.md). Every rule says why it is there.

/** Resources meet in the composition root, so these files see everything. */
const ROOTS = '^src/(app|server|openapi)\\.ts$';

module.exports = {
  forbidden: [
    {
      name: 'no-cycles',
      comment:
        'Files that import each other can only be understood together, and start in an order ' +
        'nobody chose. Cycles of types alone are cycles of thought all the same.',
      severity: 'error',
      from: {},
      to: { circular: true },
    },
    {
      name: 'no-orphans',
      comment: 'A file that nothing imports and that imports nothing is dead. Remove it.',
      severity: 'error',
      from: { orphan: true, path: '^src/' },
      to: {},
    },
    {
      name: 'no-unresolvable',
      comment:
        'An import that does not resolve fails when the file is loaded, maybe in production.',
      severity: 'error',
      from: {},
      // dist is there after a build only; tests start the built server.
      to: { couldNotResolve: true, pathNot: '/dist/' },
    },
    {
      name: 'no-undeclared-packages',
      comment: 'A package that package.json does not name can go away with any npm update.',
      severity: 'error',
      from: { path: '^(src|test)/' },
      to: { dependencyTypes: ['npm-no-pkg', 'npm-unknown'] },
    },
    {
      name: 'no-dev-packages-in-src',
      comment: 'Production installs leave development packages out.',
      severity: 'error',
      from: { path: '^src/' },
      to: {
        dependencyTypes: ['npm-dev'],
        dependencyTypesNot: ['npm'],
        pathNot: '^node_modules/@types/',
      },
    },
    {
      name: 'src-never-imports-tests',
      comment: 'Production code that knows of tests behaves differently under them.',
      severity: 'error',
      from: { path: '^src/' },
      to: { path: '^(test|scripts|seeds|couch-views)/' },
    },
    {
      name: 'core-imports-nothing-outside',
      comment: 'core is pure: it can be read, tested and reused without the rest.',
      severity: 'error',
      from: { path: '^src/core/' },
      to: { path: '^src/', pathNot: '^src/core/' },
    },
    {
      name: 'core-packages',
      comment:
        'core stays free of frameworks: parsers of addresses and phone numbers, schemas and a ' +
        'cache are enough.',
      severity: 'error',
      from: { path: '^src/core/' },
      to: {
        path: 'node_modules/',
        pathNot: 'node_modules/(ipaddr\\.js|libphonenumber-js|zod|lru-cache)/',
      },
    },
    {
      name: 'couch-imports-core-only',
      comment: 'The store layer knows documents, not what they mean or who asked for them.',
      severity: 'error',
      from: { path: '^src/couch/' },
      to: { path: '^src/', pathNot: '^src/(core|couch)/' },
    },
    {
      name: 'surfaces-import-core-only',
      comment: 'Protocols are ways to speak: they know no resource and no database.',
      severity: 'error',
      from: { path: '^src/surfaces/' },
      to: { path: '^src/', pathNot: '^src/(core|surfaces)/' },
    },
    {
      name: 'surfaces-stay-apart',
      comment:
        'Each protocol can change or go without the others; what all of them need of HTTP is in ' +
        'surfaces/http, which knows none of them.',
      severity: 'error',
      from: { path: '^src/surfaces/([^/]+)/' },
      to: { path: '^src/surfaces/([^/]+)/', pathNot: '^src/surfaces/($1|http)/' },
    },
    {
      name: 'resources-import-core-couch-surfaces',
      comment:
        'A resource gets everything else from the composition root, so it can be tested alone.',
      severity: 'error',
      from: { path: '^src/resources/' },
      to: { path: '^src/', pathNot: '^src/(core|couch|surfaces|resources)/' },
    },
    {
      name: 'resources-stay-apart',
      comment:
        'Resources meet in app.ts: what one needs of another is passed in and visible there.',
      severity: 'error',
      from: { path: '^src/resources/([^/]+)/' },
      to: { path: '^src/resources/([^/]+)/', pathNot: '^src/resources/$1/' },
    },
    {
      name: 'only-handlers-import-surfaces',
      comment: 'Rules, stores and documents are the same whatever protocol speaks.',
      severity: 'error',
      from: { path: '^src/resources/', pathNot: '\\.(handlers|schema)\\.ts$' },
      to: { path: '^src/surfaces/' },
    },
    {
      name: 'handlers-never-import-the-store',
      comment: 'A handler asks the service: a store it reaches itself is a rule passed by.',
      severity: 'error',
      from: { path: '\\.handlers\\.ts$' },
      to: { path: '^src/couch/|\\.store\\.ts$' },
    },
    {
      name: 'services-never-import-couch',
      comment: 'A service speaks of its resource; only its store speaks of databases and views.',
      severity: 'error',
      from: { path: '^src/resources/.*\\.service\\.ts$' },
      to: { path: '^src/couch/' },
    },
    {
      name: 'cli-never-imports-surfaces',
      comment: 'Maintenance calls the services; it never speaks the protocols.',
      severity: 'error',
      from: { path: '^src/cli/' },
      to: { path: '^src/surfaces/|\\.handlers\\.ts$' },
    },
    {
      name: 'carriers-import-core-only',
      comment:
        'Services know carriers by the types of core; what a driver needs is passed to it in the ' +
        'composition root.',
      severity: 'error',
      from: { path: '^src/carriers/' },
      to: { path: '^src/', pathNot: '^src/(core|carriers)/' },
    },
    {
      name: 'sandbox-carrier-stays-apart',
      comment:
        'The sandbox is a carrier like any other: the drivers know its HTTP API and no more, and ' +
        'it knows nothing of them.',
      severity: 'error',
      from: { path: '^src/carriers/(?!sandbox/)' },
      to: { path: '^src/carriers/sandbox/' },
    },
    {
      name: 'sandbox-carrier-knows-no-drivers',
      comment: 'What the sandbox shares with a driver would be tested against itself.',
      severity: 'error',
      from: { path: '^src/carriers/sandbox/' },
      to: { path: '^src/', pathNot: '^src/(core|carriers/sandbox)/' },
    },
    {
      name: 'embedded-imports-core-only',
      comment: 'The embedded store is a CouchDB beside the service, reached by URL like any other.',
      severity: 'error',
      from: { path: '^src/embedded/' },
      to: { path: '^src/', pathNot: '^src/(core|embedded)/' },
    },
    {
      name: 'embedded-is-started-only',
      comment:
        'Whatever else imports the embedded store works with that store alone; store.ts opens either kind for server and cli.',
      severity: 'error',
      from: { path: '^src/', pathNot: '^src/(embedded|cli)/|^src/(server|store)\\.ts$' },
      to: { path: '^src/embedded/' },
    },
    {
      name: 'roots-are-not-imported',
      comment: 'What imports the composition root sees everything through it.',
      severity: 'error',
      from: { path: '^src/(core|couch|embedded|surfaces|resources|carriers)/' },
      to: {
        path: '^src/(app|server|openapi|routes|other-surfaces|account-services|operator-[a-z]+|services|store|sign-in-services|support-[a-z]+|system)\\.ts$',
      },
    },
    {
      name: 'nano-in-couch-only',
      comment: 'Every trap of nano is handled in src/couch; a second importer falls into them.',
      severity: 'error',
      from: { path: '^src/', pathNot: '^src/couch/' },
      to: { path: 'node_modules/nano/' },
    },
    {
      name: 'prom-client-in-metrics-only',
      comment:
        'Whoever counts something says so by a callback; what the figures are called and that ' +
        'their labels stay few is decided in one place.',
      severity: 'error',
      from: { path: '^src/', pathNot: '^src/metrics[a-z-]*\\.ts$' },
      to: { path: 'node_modules/prom-client/' },
    },
    {
      name: 'couchbackup-in-couch-only',
      comment: 'It speaks to the store past all limits and checks of ours; copier.ts bounds it.',
      severity: 'error',
      from: { path: '^src/', pathNot: '^src/couch/' },
      to: { path: 'node_modules/@cloudant/' },
    },
    {
      name: 'pouchdb-in-embedded-only',
      comment: 'The service speaks HTTP to its store; PouchDB is one implementation of that store.',
      severity: 'error',
      from: { path: '^src/', pathNot: '^src/embedded/' },
      to: { path: 'node_modules/(@types/)?pouchdb' },
    },
    {
      name: 'express-in-surfaces-only',
      comment:
        'Handlers are functions of parsed input; only surfaces know requests and answers. The ' +
        'sandbox carrier is a server of its own.',
      severity: 'error',
      from: { path: '^src/', pathNot: `^src/surfaces/|^src/carriers/sandbox/app|${ROOTS}` },
      to: { path: 'node_modules/(@types/)?express(-rate-limit)?/' },
    },
  ],
  options: {
    // typescript 7 has no JavaScript API. swc sees type-only imports but cannot tell them from the
    // others, so the rule that services take only types from stores is in test/tidy.test.ts.
    parser: 'swc',
    doNotFollow: { path: '(^|/)node_modules/' },
    exclude: { path: '^(dist|data)/' },
    enhancedResolveOptions: {
      extensions: ['.ts', '.js', '.mjs', '.json'],
      conditionNames: ['import', 'node', 'default', 'types'],
      exportsFields: ['exports'],
      mainFields: ['module', 'main', 'types', 'typings'],
    },
  },
};

// The one-way street: bin -> plugins -> models -> lib -> npm, types included.
// Promise: a file that imports against the traffic, in a circle, or a package nobody listed fails
// `npm run rules`. What each floor may touch in npm is checked in spec/house.spec.ts.

const shipped = '^(lib|models|plugins|bin|examples)/'

/** Files of a floor may import that floor and those named, never another folder of ours. */
const oneWay = (name, floor, ...below) => ({
  name,
  severity: 'error',
  comment: `${floor} may import only ${[floor, ...below].join(', ')} and npm, types included.`,
  from: { path: `^${floor}/` },
  to: {
    path: '^(lib|models|plugins|bin|spec|examples|bench|docs)/',
    pathNot: `^(${[floor, ...below].join('|')})/`,
  },
})

module.exports = {
  forbidden: [
    oneWay('lib-imports-lib', 'lib'),
    oneWay('models-import-down', 'models', 'lib'),
    oneWay('plugins-import-down', 'plugins', 'models', 'lib'),
    {
      name: 'plugins-are-strangers',
      severity: 'error',
      comment: 'Plugins meet through events and the public verbs of models, never by import.',
      from: { path: '^plugins/([^/.]+)', pathNot: '^plugins/index\\.ts$' },
      to: { path: '^plugins/', pathNot: '^plugins/$1[./]' },
    },
    {
      name: 'nobody-imports-spec',
      severity: 'error',
      comment:
        'Specs may open any door; nobody opens theirs, but for the bench and its private servers.',
      from: { pathNot: '^(spec|bench)/' },
      to: { path: '^spec/' },
    },
    {
      name: 'no-cycles',
      severity: 'error',
      comment: 'A circle has no floor to stand on. Move what both need into a file of its own.',
      from: {},
      to: { circular: true },
    },
    {
      name: 'no-unlisted-packages',
      severity: 'error',
      comment: 'A package that package.json does not list may be gone tomorrow.',
      from: {},
      to: { dependencyTypes: ['npm-no-pkg', 'npm-unknown', 'npm-bundled', 'undetermined'] },
    },
    {
      name: 'no-unresolvable',
      severity: 'error',
      comment: 'The imported file or package does not exist.',
      from: {},
      to: { couldNotResolve: true },
    },
    {
      name: 'no-dev-packages',
      severity: 'error',
      comment: 'Whoever installs us does not get devDependencies.',
      from: { path: shipped },
      to: { dependencyTypes: ['npm-dev'], dependencyTypesNot: ['npm'], pathNot: '/@types/' },
    },
    {
      name: 'no-orphans',
      severity: 'error',
      comment: 'Nobody imports this file and it imports nobody.',
      from: { orphan: true, path: '^(lib|models|plugins)/', pathNot: '/migrations/' },
      to: {},
    },
  ],
  options: {
    doNotFollow: { path: 'node_modules' },
    exclude: { path: '^(dist|node_modules)/' },
    tsPreCompilationDeps: true,
    tsConfig: { fileName: 'tsconfig.json' },
    enhancedResolveOptions: {
      exportsFields: ['exports'],
      conditionNames: ['import', 'node', 'default', 'types'],
    },
  },
}

// Reading TypeScript as a tree, for rules that must not be fooled by comments and strings.
import ts from 'typescript'
import { floorOf, isCode, type Source } from './tree.ts'

/** One place where a rule is broken. */
export interface Breach {
  readonly path: string
  readonly line: number
  readonly what: string
}

/** A rule takes the files of the house and answers where they break it. */
export type Rule = (sources: readonly Source[]) => Breach[]

/** The floors that are shipped. */
export const HOUSE = ['lib', 'models', 'plugins', 'bin']
/** All folders that hold code. */
export const CODE = [...HOUSE, 'spec', 'examples', 'bench']

/** A rule that looks at each TypeScript file of some floors by itself. */
export function eachFile(
  floors: readonly string[],
  look: (file: ts.SourceFile, path: string) => Breach[],
): Rule {
  return (sources) =>
    sources
      .filter((source) => isCode(source) && floors.includes(floorOf(source.path)))
      .flatMap(({ path, text }) => look(parse(path, text), path))
}

/** The syntax tree of a text. */
export const parse = (path: string, text: string): ts.SourceFile =>
  ts.createSourceFile(path, text, ts.ScriptTarget.Latest, true)

/** All nodes of a tree, parents first. */
export function nodesOf(root: ts.Node): ts.Node[] {
  const nodes: ts.Node[] = []
  const visit = (node: ts.Node): void => {
    nodes.push(node)
    ts.forEachChild(node, visit)
  }
  visit(root)
  return nodes
}

/** Everything a file imports: statements, re-exports, `import()` in code and in types. */
export function imports(file: ts.SourceFile): { specifier: string; node: ts.Node }[] {
  return nodesOf(file).flatMap((node) => {
    const literal = importedBy(node)
    return literal && ts.isStringLiteralLike(literal) ? [{ specifier: literal.text, node }] : []
  })
}

function importedBy(node: ts.Node): ts.Node | undefined {
  if (ts.isImportDeclaration(node) || ts.isExportDeclaration(node)) return node.moduleSpecifier
  if (ts.isImportTypeNode(node) && ts.isLiteralTypeNode(node.argument)) return node.argument.literal
  if (!ts.isCallExpression(node)) return undefined
  const { expression } = node
  const loads = expression.kind === ts.SyntaxKind.ImportKeyword || isNamed(expression, 'require')
  return loads ? node.arguments[0] : undefined
}

export const packageOf = (specifier: string): string =>
  specifier
    .split('/')
    .slice(0, specifier.startsWith('@') ? 2 : 1)
    .join('/')

export const isNamed = (node: ts.Node, name: string) => ts.isIdentifier(node) && node.text === name

export const isMember = (node: ts.Node, object: string, member: RegExp): boolean =>
  ts.isPropertyAccessExpression(node) &&
  isNamed(node.expression, object) &&
  member.test(node.name.text)

/** `process` used whole, so that its members can be taken from it unseen. */
export const isBare = (node: ts.Identifier): boolean =>
  !isDeclaredName(node) &&
  !(ts.isPropertyAccessExpression(node.parent) && node.parent.expression === node)

/** A name that is being given (a property, a parameter, a method), not the global of that name. */
export function isDeclaredName(node: ts.Identifier): boolean {
  const { parent } = node
  if (ts.isPropertyAccessExpression(parent)) {
    return parent.name === node && !isGlobal(parent.expression) && !isModule(parent.expression)
  }
  if (ts.isTypeQueryNode(parent) || ts.isQualifiedName(parent)) return true
  return 'name' in parent && parent.name === node && !ts.isShorthandPropertyAssignment(parent)
}

const isGlobal = (node: ts.Node) => isNamed(node, 'globalThis') || isNamed(node, 'crypto')

/** An identifier bound by `import * as x` or a default import of a module in this file. */
function isModule(node: ts.Node): boolean {
  if (!ts.isIdentifier(node)) return false
  return node
    .getSourceFile()
    .statements.filter(ts.isImportDeclaration)
    .some(({ importClause }) => {
      const bound = importClause?.namedBindings
      return (
        importClause?.name?.text === node.text ||
        (bound && ts.isNamespaceImport(bound) && bound.name.text === node.text)
      )
    })
}

export const lineOf = (file: ts.SourceFile, position: number): number =>
  file.getLineAndCharacterOfPosition(position).line + 1

export const at = (file: ts.SourceFile, node: ts.Node, what: string): Breach => ({
  path: file.fileName,
  line: lineOf(file, node.getStart(file)),
  what,
})

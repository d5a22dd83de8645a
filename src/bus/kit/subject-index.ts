interface IndexNode<T> {
  readonly children: Map<string, IndexNode<T>>
  star: IndexNode<T> | undefined
  /** Values whose filter ends here. */
  readonly exact: Set<T>
  /** Values whose filter ends here with `>`. */
  readonly below: Set<T>
}

/** Filters by level, so that finding who wants a subject costs its levels, not the number of filters. */
export class SubjectIndex<T> {
  readonly #root: IndexNode<T> = newNode()
  #size = 0

  get size(): number {
    return this.#size
  }

  add(filter: string, value: T): void {
    const values = this.#valuesOf(filter)
    if (values.has(value)) return
    values.add(value)
    this.#size += 1
  }

  remove(filter: string, value: T): void {
    const levels = filter.split('.')
    if (removeFrom(this.#root, levels, { depth: 0, value })) this.#size -= 1
  }

  /** Calls `visit` for every value with a matching filter; a value under two matching filters is visited twice. */
  match(subject: string, visit: (value: T) => void): void {
    if (this.#size === 0) return
    matchFrom(this.#root, subject.split('.'), { depth: 0, visit })
  }

  #valuesOf(filter: string): Set<T> {
    let node = this.#root
    for (const level of filter.split('.')) {
      if (level === '>') return node.below
      node = childOf(node, level)
    }
    return node.exact
  }
}

function newNode<T>(): IndexNode<T> {
  return { children: new Map(), star: undefined, exact: new Set(), below: new Set() }
}

function childOf<T>(node: IndexNode<T>, level: string): IndexNode<T> {
  if (level === '*') {
    node.star ??= newNode()
    return node.star
  }
  let child = node.children.get(level)
  if (child === undefined) {
    child = newNode()
    node.children.set(level, child)
  }
  return child
}

function matchFrom<T>(
  node: IndexNode<T>,
  levels: readonly string[],
  search: { readonly depth: number; readonly visit: (value: T) => void },
): void {
  const { depth, visit } = search
  if (depth === levels.length) {
    for (const value of node.exact) visit(value)
    return
  }
  for (const value of node.below) visit(value)
  const next = { depth: depth + 1, visit }
  const child = node.children.get(levels[depth]!)
  if (child !== undefined) matchFrom(child, levels, next)
  if (node.star !== undefined) matchFrom(node.star, levels, next)
}

/** Removes the value and, on the way back, the nodes left empty: filters come and go with their readers. */
function removeFrom<T>(
  node: IndexNode<T>,
  levels: readonly string[],
  target: { readonly depth: number; readonly value: T },
): boolean {
  const { depth, value } = target
  if (depth === levels.length) return node.exact.delete(value)
  const level = levels[depth]!
  if (level === '>') return node.below.delete(value)
  const child = level === '*' ? node.star : node.children.get(level)
  if (child === undefined) return false
  const removed = removeFrom(child, levels, { depth: depth + 1, value })
  if (isEmpty(child)) {
    if (level === '*') node.star = undefined
    else node.children.delete(level)
  }
  return removed
}

function isEmpty<T>(node: IndexNode<T>): boolean {
  return node.children.size === 0 && node.star === undefined && node.exact.size === 0 && node.below.size === 0
}

import { type ConfigChange, decodeConfigChange, type Entry, type NodeId } from '../../raft/index.ts'

/** Everyone who ever belonged to the group, as its log tells: plain data, the same on every member. */
export interface GroupMembersState {
  readonly addresses: ReadonlyArray<readonly [NodeId, string]>
  /** Ids that were ever given: none is given twice. */
  readonly spent: readonly NodeId[]
}

/** Where members are reached and which ids are spent, kept up with each change of configuration. */
export class GroupMembers {
  readonly #addresses: Map<NodeId, string>
  readonly #spent: Set<NodeId>

  constructor(state: GroupMembersState = { addresses: [], spent: [] }) {
    this.#addresses = new Map(state.addresses)
    this.#spent = new Set(state.spent)
  }

  addressOf(id: NodeId): string {
    return this.#addresses.get(id) ?? ''
  }

  isSpent(id: NodeId): boolean {
    return this.#spent.has(id)
  }

  /** Takes in a committed change of configuration. */
  apply(entry: Entry): void {
    const { changes, context } = decodeConfigChange(entry.data)
    const given = new Map(context === undefined ? [] : decodeAddresses(context))
    for (const { action, id } of changes) {
      if (action === 'remove') {
        this.#addresses.delete(id)
        continue
      }
      this.#spent.add(id)
      const address = given.get(id)
      if (address !== undefined) this.#addresses.set(id, address)
    }
  }

  state(): GroupMembersState {
    return { addresses: [...this.#addresses], spent: [...this.#spent] }
  }
}

/** Addresses as they travel in a change of configuration. */
export function encodeAddresses(
  addresses: ReadonlyArray<readonly [NodeId, string]>,
): NonNullable<ConfigChange['context']> {
  return new TextEncoder().encode(JSON.stringify(addresses))
}

/** What other programs put there means nothing here. */
function decodeAddresses(context: Uint8Array): Array<readonly [NodeId, string]> {
  try {
    const plain: unknown = JSON.parse(new TextDecoder().decode(context))
    return Array.isArray(plain) ? plain.filter(isAddress) : []
  } catch {
    return []
  }
}

function isAddress(value: unknown): value is readonly [NodeId, string] {
  return Array.isArray(value) && Number.isSafeInteger(value[0]) && typeof value[1] === 'string'
}

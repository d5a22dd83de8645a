import { type Disk, SkeinError } from '../../core/index.ts'
import type { NodeId } from '../../raft/index.ts'
import { readCheckedFile, writeCheckedFile } from './checked-file.ts'
import type { Identity } from './greeting.ts'

/**
 * Which data directory was first met under each node id, durably. Another one under the same id is a node that has
 * forgotten what it acknowledged: an emptied disk, or two machines with one id.
 */
export class KnownPeers {
  readonly #disk: Disk
  readonly #path: string
  readonly #incarnations: Map<NodeId, string>
  #writing: Promise<void> = Promise.resolve()

  private constructor(disk: Disk, path: string, incarnations: ReadonlyArray<readonly [NodeId, string]>) {
    this.#disk = disk
    this.#path = path
    this.#incarnations = new Map(incarnations)
  }

  static async open(disk: Disk, path: string): Promise<KnownPeers> {
    const found = (await readCheckedFile<Array<readonly [NodeId, string]>>(disk, path)) ?? []
    return new KnownPeers(disk, path, found)
  }

  /** Resolves when it is remembered that this is the node of that id. Rejects with `id-reused` when another one is. */
  async check({ node, incarnation }: Identity): Promise<void> {
    const known = this.#incarnations.get(node)
    if (known === undefined) {
      this.#incarnations.set(node, incarnation)
      this.#writing = this.#writing
        .catch(() => undefined)
        .then(() => writeCheckedFile(this.#disk, this.#path, [...this.#incarnations]))
    } else if (known !== incarnation) {
      const message = `Cannot accept node ${node}: another data directory has been using this id, and ids are never used again; give the new one an id of its own`
      throw new SkeinError('id-reused', message, { details: { node } })
    }
    await this.#writing
  }
}

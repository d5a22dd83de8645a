/**
 * Who has each partition: equal shares, earlier members the larger ones, and nobody loses more than is needed. Undefined
 * where there is no member.
 */
export function assignPartitions<M>(members: readonly M[], owners: ReadonlyArray<M | undefined>): Array<M | undefined> {
  const quotas = new Map<M, number>()
  for (const [index, member] of members.entries()) {
    const larger = index < owners.length % members.length ? 1 : 0
    quotas.set(member, Math.floor(owners.length / members.length) + larger)
  }
  const target = owners.map((owner) => (owner !== undefined && takeShare(quotas, owner) ? owner : undefined))
  return target.map((owner) => owner ?? members.find((member) => takeShare(quotas, member)))
}

function takeShare<M>(quotas: Map<M, number>, member: M): boolean {
  const left = quotas.get(member) ?? 0
  if (left === 0) return false
  quotas.set(member, left - 1)
  return true
}

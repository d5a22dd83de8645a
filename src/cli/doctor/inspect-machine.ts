import { attention, type Finding, ok } from './finding.ts'

const DESCRIPTORS_WANTED = 4_096

/** What the machine gives this process. */
export function inspectMachine(): readonly Finding[] {
  const limits = process.report.getReport() as unknown as {
    readonly userLimits?: { readonly open_files?: { readonly soft?: number | string } }
  }
  const descriptors = Number(limits.userLimits?.open_files?.soft)
  const findings = [ok('runtime', `Node ${process.versions.node} on ${process.platform} ${process.arch}`)]
  if (Number.isNaN(descriptors)) return findings
  const enough = descriptors >= DESCRIPTORS_WANTED
  const detail = `${descriptors} open files allowed${enough ? '' : `: a node for many agents wants ${DESCRIPTORS_WANTED} (ulimit -n)`}`
  return [...findings, enough ? ok('limits', detail) : attention('limits', detail)]
}

import { findService } from './find-service.ts'

/** Starts a service, says where it is, and waits to be killed. */
const service = await (await findService(process.argv[2]!)).start()
const [node] = service.nodes
console.log(JSON.stringify({ pid: node!.pid, directory: node!.directory }))
setInterval(() => {}, 60_000)

export type { DirectoryStoreOptions } from './directory-store.ts'
export { openDirectoryStore } from './directory-store.ts'
export type { ObjectInfo, ObjectStore } from './object-store.ts'

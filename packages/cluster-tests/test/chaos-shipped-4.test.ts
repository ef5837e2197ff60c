/** Every fourth of the shipped scenarios, from number 4 on: see shipped-walk.ts. */
import { walkShipped } from "./shipped-walk.ts";

walkShipped(3, 4);

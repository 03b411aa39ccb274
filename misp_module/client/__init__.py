"""What runs inside the modules server: pass a request on, wait for the answer, give up in time.

Standard library only, and it imports nothing of ttpscribe: ``ttpscribe misp install`` copies this
package beside the module files, so nothing has to be installed into the server's environment.
"""

from misp_module.client.ask import ask

__all__ = ["ask"]

using KeycloakCreditBridge.Sandbox.Emulator.Http;
using KeycloakCreditBridge.Sandbox.Emulator.Webhooks;

namespace KeycloakCreditBridge.Sandbox.Emulator.Realms;

/// <summary>Begins the transactions in which realms change.</summary>
internal sealed class TransactionFactory(EmulatorClock clock, FaultInjector faults, WebhookSender webhooks)
{
    public Transaction Begin(RealmState realm, HttpContext? context) =>
        new(realm, context is null ? "127.0.0.1" : context.Address(), clock, faults, webhooks);
}

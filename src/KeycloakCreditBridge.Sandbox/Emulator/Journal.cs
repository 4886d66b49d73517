namespace KeycloakCreditBridge.Sandbox.Emulator;

/// <summary>Begins the transactions in which realms change.</summary>
internal sealed class Journal(EmulatorClock clock, Misbehaviour misbehaviour, WebhookSender webhooks)
{
    public Transaction Begin(RealmState realm, HttpContext? context) =>
        new(realm, context is null ? "127.0.0.1" : context.Address(), clock, misbehaviour, webhooks);
}

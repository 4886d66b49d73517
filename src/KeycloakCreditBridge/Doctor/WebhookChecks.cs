using KeycloakCreditBridge.Doctor.Findings;
using KeycloakCreditBridge.Hosting.Addresses;
using KeycloakCreditBridge.Intake;
using KeycloakCreditBridge.Keycloak;
using KeycloakCreditBridge.Keycloak.Admin;
using KeycloakCreditBridge.Keycloak.Events;
using KeycloakCreditBridge.Keycloak.Tokens;
using KeycloakCreditBridge.Setup;
using KeycloakCreditBridge.Setup.Webhooks;
using Microsoft.Extensions.Options;

namespace KeycloakCreditBridge.Doctor;

/// <summary>What can be wrong with the webhook by which a realm reports to the bridge.</summary>
internal sealed class WebhookChecks(
    KeycloakEvents events,
    AdminTransport transport,
    TokenSource tokens,
    TestDelivery delivery,
    IConfiguration configuration,
    IOptions<KeycloakOptions> options,
    IOptions<IntakeOptions> intake)
{
    private const string Register = "run `KeycloakCreditBridge setup keycloak`";

    /// <summary>What the bridge's own roles show of a realm's webhooks, which is all but their secrets.</summary>
    private PhaseTwoWebhooks WebhooksOf(string realm) => new(new AdminSession(transport, realm, tokens));

    public async Task<Finding> ListenerAsync(string realm, CancellationToken cancellationToken)
    {
        var set = (await events.GetConfigAsync(realm, cancellationToken)).EventsListeners;
        if (set.Contains(RealmRequirements.Listener, StringComparer.Ordinal))
            return Finding.Ok($"the listener {RealmRequirements.Listener} is set");
        return await WebhooksOf(realm).ListAsync(cancellationToken) is null
            ? Finding.Ok("Keycloak has no webhook plugin of Phase Two, so no listener of its is missing")
            : EventsDelayed(
                $"the listener {RealmRequirements.Listener} is not set, so no webhook comes unless another plugin sends it",
                $"add it in Realm settings, Events, Event listeners, or {Register}");
    }

    public async Task<Finding> RegisteredAsync(string realm, CancellationToken cancellationToken)
    {
        if (OtherPlugin(realm) is { } other)
            return other;
        if (await WebhooksOf(realm).ListAsync(cancellationToken) is not { } all)
            return Finding.Ok("Keycloak has no webhook plugin of Phase Two: polling finds users");
        var own = OwnWebhook(realm, all);
        if (own is null)
        {
            var elsewhere = all.Count == 0 ? "" : $"; those of the realm lead to {string.Join(", ", all.Select(webhook => webhook.Url))}";
            return EventsDelayed($"no webhook of the realm leads to {ExpectedAddress(realm)}{elsewhere}", Register);
        }

        if (!own.Enabled)
            return EventsDelayed($"the webhook to {own.Url} is disabled", Register);
        string[] lacking = [.. own.MissingTypes];
        if (lacking.Length > 0)
            return EventsDelayed($"the webhook to {own.Url} does not send {string.Join(", ", lacking)}", Register);
        return Finding.Ok(intake.Value.Webhook.Url.Length > 0
            ? $"the webhook to {own.Url} sends what matters"
            : $"the webhook to {own.Url} sends what matters; set Intake:Webhook:Url to check that it is this bridge");
    }

    /// <summary>Whether the address that Keycloak has, or is to be given, is one that the bridge listens on.</summary>
    public async Task<Finding> AddressAsync(string realm, CancellationToken cancellationToken)
    {
        var told = intake.Value.Webhook.Url.Length == 0
            ? ""
            : intake.Value.Webhook.Url.TrimEnd('/') + RealmRequirements.WebhookPath(realm);
        if (OtherPlugin(realm) is null
            && await WebhooksOf(realm).ListAsync(cancellationToken) is { } all && OwnWebhook(realm, all) is { } own)
            told = own.Url;
        if (!Uri.TryCreate(told, UriKind.Absolute, out var address))
            return Finding.Ok("Keycloak has no address of the bridge, and Intake:Webhook:Url names none");
        // A bridge that answers at this very address needs no guess.
        if (await delivery.IsAcceptedAsync(address, options.Value.Realm(realm), cancellationToken))
            return Finding.Ok($"a bridge answers at {address.AbsoluteUri}");
        return BridgeAddress.Problem(address, ListenAddresses.Of(configuration)) is { } problem
            ? EventsDelayed(problem.Says, problem.Cure)
            : Finding.Ok($"{address.GetLeftPart(UriPartial.Authority)} may lead to the bridge: behind a proxy this machine cannot tell");
    }

    /// <param name="realm">The realm.</param>
    /// <param name="administrator">The realm with an administrator's token; null when none was given.</param>
    public async Task<Finding> SecretAsync(string realm, AdminSession? administrator, CancellationToken cancellationToken)
    {
        if (OtherPlugin(realm) is { } other)
            return other;
        var secrets = options.Value.Realm(realm).WebhookSecrets;
        var all = await WebhooksOf(realm).ListAsync(cancellationToken);
        if (all is null || OwnWebhook(realm, all) is not { } own || secrets.Count == 0)
            return Finding.Ok("there is no webhook whose secret could differ");
        if (administrator is null)
            return Finding.Ok("Keycloak does not show its secret to the bridge's roles; with --admin-user it is compared");
        var shown = await new PhaseTwoWebhooks(administrator).SecretAsync(own.Id, cancellationToken) ?? "";
        if (SecretMask.Covers(shown))
            return Finding.Ok("Keycloak masks its secret for this administrator, so it is not compared");
        return secrets.Contains(shown, StringComparer.Ordinal)
            ? Finding.Ok("Keycloak signs with a secret of this configuration")
            : Finding.Fail(
                $"Keycloak signs the webhook to {own.Url} with a secret that is none of " +
                $"{options.Value.RealmKeyOf(realm)}:WebhookSecrets, so each is refused",
                $"{Register}, which gives it the first one");
    }

    public async Task<Finding> DeliveryAsync(string realm, CancellationToken cancellationToken) => intake.Value.Webhook.Enabled
        ? await delivery.SendAsync(options.Value.Realm(realm), cancellationToken)
        : Finding.Warn(
            "Intake:Webhook:Enabled is false, so the bridge answers webhooks with 404",
            "set it to true, or disable the webhook in Keycloak, whose plugin repeats what is refused");

    private Finding? OtherPlugin(string realm) => options.Value.Realm(realm).WebhookAuthentication switch
    {
        WebhookAuthentication.Hmac or WebhookAuthentication.HmacSha1 => null,
        var scheme => Finding.Ok($"webhooks come from another plugin than Phase Two's, as WebhookAuthentication is {scheme}"),
    };

    private RegisteredWebhook? OwnWebhook(string realm, IReadOnlyList<RegisteredWebhook> all)
    {
        if (intake.Value.Webhook.Url.Length == 0)
        {
            return all.FirstOrDefault(webhook => webhook.LeadsToBridge(realm) && webhook.Enabled)
                ?? all.FirstOrDefault(webhook => webhook.LeadsToBridge(realm));
        }

        var address = intake.Value.Webhook.Url.TrimEnd('/');
        return all.FirstOrDefault(webhook => webhook.Url == address + RealmRequirements.WebhookPath(realm))
            ?? all.FirstOrDefault(
                webhook => options.Value.Realms.Count == 1 && webhook.Url == address + RealmRequirements.SharedWebhookPath);
    }

    private string ExpectedAddress(string realm) => intake.Value.Webhook.Url.Length == 0
        ? $"a bridge's {RealmRequirements.WebhookPath(realm)}"
        : intake.Value.Webhook.Url.TrimEnd('/') + RealmRequirements.WebhookPath(realm);

    // Polling finds users that no webhook names, only later.
    private Finding EventsDelayed(string says, string cure) =>
        intake.Value.Poll.Enabled ? Finding.Warn(says, cure) : Finding.Fail($"{says} (Intake:Poll:Enabled is false)", cure);
}

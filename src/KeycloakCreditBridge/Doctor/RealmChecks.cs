using System.Buffers.Text;
using System.Globalization;
using System.Text.Json;
using KeycloakCreditBridge.Doctor.Findings;
using KeycloakCreditBridge.Intake;
using KeycloakCreditBridge.Keycloak;
using KeycloakCreditBridge.Keycloak.Admin;
using KeycloakCreditBridge.Keycloak.Tokens;
using Microsoft.Extensions.Options;

namespace KeycloakCreditBridge.Doctor;

/// <summary>What can be wrong between the bridge and one realm of Keycloak.</summary>
internal sealed class RealmChecks(
    KeycloakClient keycloak,
    TokenSource tokens,
    IOptions<KeycloakOptions> options,
    IOptions<IntakeOptions> intake,
    TimeProvider clock)
{
    private static readonly TimeSpan ToleratedSkew = TimeSpan.FromSeconds(30);
    private static readonly TimeSpan MaxTransaction = TimeSpan.FromMinutes(5);

    public async Task<Finding> TokenAsync(string realm, CancellationToken cancellationToken)
    {
        await tokens.GetAsync(realm, cancellationToken);
        return Finding.Ok($"Keycloak gives a token to the client '{options.Value.ClientIdOf(realm)}'");
    }

    // Keycloak sends no Date header: only the token's time of issue shows its clock.
    public async Task<Finding> ClockAsync(string realm, CancellationToken cancellationToken)
    {
        tokens.Invalidate(realm);
        var token = await tokens.GetAsync(realm, cancellationToken);
        if (IssuedAt(token) is not { } issued)
            return Finding.Warn("the token does not say when it was issued, so Keycloak's clock is not known");
        var skew = clock.GetUtcNow() - issued;
        var says = string.Create(
            CultureInfo.InvariantCulture, $"the clocks of Keycloak and this machine differ by {Math.Abs(skew.TotalSeconds):0} s");
        const string cure = "set both by NTP";
        if (skew.Duration() <= ToleratedSkew)
            return Finding.Ok(says);
        return MaxTransaction + skew.Duration() > intake.Value.Poll.Overlap
            ? Finding.Fail($"{says}: with transactions of 5 minutes that is more than Intake:Poll:Overlap", cure)
            : Finding.Warn(says, cure);
    }

    public async Task<Finding> UsersAsync(string realm, CancellationToken cancellationToken)
    {
        await keycloak.CheckUserAccessAsync(realm, cancellationToken);
        return Finding.Ok("users can be read");
    }

    public Task<Finding> UserEventsAsync(string realm, CancellationToken cancellationToken) =>
        EventsAsync(realm, "events", cancellationToken);

    public Task<Finding> AdminEventsAsync(string realm, CancellationToken cancellationToken) =>
        EventsAsync(realm, "admin-events", cancellationToken);

    public async Task<Finding> CapabilitiesAsync(string realm, CancellationToken cancellationToken)
    {
        var found = await keycloak.GetCapabilitiesAsync(realm, cancellationToken);
        return Finding.Ok(found.OrderedEvents
            ? "events are found by millisecond"
            : "events are found by day only, as before Keycloak 26.2: polling reads more and works the same");
    }

    public Finding Webhook(string realm)
    {
        if (options.Value.Realm(realm).WebhookAuthentication == WebhookAuthentication.RealmToken)
            return Finding.Ok("webhooks are authenticated by the realm's tokens");
        if (options.Value.Realm(realm).WebhookSecrets.Exists(secret => secret.Length > 0))
            return Finding.Ok("webhooks are signed");
        var key = $"{options.Value.RealmKeyOf(realm)}:WebhookSecrets:0";
        return intake.Value.Webhook.AllowUnsigned
            ? Finding.Warn("webhooks of any sender are accepted, unsigned", $"set {key}, and the same secret in Keycloak's plugin")
            : Finding.Warn("webhooks are refused, as there is no secret", $"set {key}, and the same secret in Keycloak's plugin");
    }

    public static Finding Address(KeycloakOptions keycloak) => keycloak.IsUnencrypted
        ? Finding.Warn(
            "Keycloak:Url is http and leads to another machine: the client's secret, tokens and users travel unencrypted",
            "use https, unless Keycloak and the bridge share a network with no other program")
        : Finding.Ok("requests to Keycloak are encrypted, or stay on this machine");

    private async Task<Finding> EventsAsync(string realm, string resource, CancellationToken cancellationToken)
    {
        await keycloak.CheckEventAccessAsync(realm, resource, cancellationToken);
        return Finding.Ok($"{resource} can be read");
    }

    private static DateTimeOffset? IssuedAt(string token)
    {
        try
        {
            using var claims = JsonDocument.Parse(Base64Url.DecodeFromChars(token.Split('.')[1]));
            return DateTimeOffset.FromUnixTimeSeconds(claims.RootElement.GetProperty("iat").GetInt64());
        }
        catch (Exception exception) when (exception is not (OperationCanceledException or OutOfMemoryException))
        {
            return null;
        }
    }
}

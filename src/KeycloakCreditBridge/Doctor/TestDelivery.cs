using System.Globalization;
using System.Net;
using System.Net.Http.Headers;
using System.Security.Cryptography;
using System.Text;
using System.Text.Json.Nodes;
using KeycloakCreditBridge.Doctor.Findings;
using KeycloakCreditBridge.Hosting.Addresses;
using KeycloakCreditBridge.Intake;
using KeycloakCreditBridge.Intake.Authentication;
using KeycloakCreditBridge.Keycloak;
using KeycloakCreditBridge.Setup;
using Microsoft.Extensions.Options;

namespace KeycloakCreditBridge.Doctor;

/// <summary>Sends the running bridge a delivery without a user, signed as the configuration says. It stores nothing.</summary>
internal sealed class TestDelivery(
    IHttpClientFactory clients, IConfiguration configuration, IOptions<IntakeOptions> intake, TimeProvider clock)
{
    private static readonly TimeSpan AnswerTimeout = TimeSpan.FromSeconds(10);

    public async Task<Finding> SendAsync(RealmOptions realm, CancellationToken cancellationToken)
    {
        if (realm.WebhookSecrets.Find(candidate => candidate.Length > 0) is not { } secret)
            return Finding.Ok("not sent, as the realm has no webhook secret");
        var address = Address(realm.Name);
        using var request = Request(address, realm, secret);
        try
        {
            return Evaluate(address, realm.Name, await SendAsync(request, cancellationToken));
        }
        catch (Exception exception) when (IsNoAnswer(exception, cancellationToken))
        {
            return Finding.Warn(
                $"no bridge answers at {address.AbsoluteUri} ({exception.GetBaseException().Message})",
                "start it, or set Intake:Webhook:Url to an address under which it is reached from here");
        }
    }

    /// <summary>Whether a bridge with this configuration answers there.</summary>
    public async Task<bool> IsAcceptedAsync(Uri address, RealmOptions realm, CancellationToken cancellationToken)
    {
        if (realm.WebhookSecrets.Find(candidate => candidate.Length > 0) is not { } secret)
            return false;
        try
        {
            using var request = Request(address, realm, secret);
            return await SendAsync(request, cancellationToken) is HttpStatusCode.NoContent or HttpStatusCode.BadRequest;
        }
        catch (Exception exception) when (IsNoAnswer(exception, cancellationToken))
        {
            return false;
        }
    }

    private async Task<HttpStatusCode> SendAsync(HttpRequestMessage request, CancellationToken cancellationToken)
    {
        using var client = clients.CreateClient(KeycloakOptions.HttpClientName);
        using var timeout = CancellationTokenSource.CreateLinkedTokenSource(cancellationToken);
        timeout.CancelAfter(AnswerTimeout);
        using var answer = await client.SendAsync(request, timeout.Token);
        return answer.StatusCode;
    }

    private static bool IsNoAnswer(Exception exception, CancellationToken cancellationToken) =>
        exception is HttpRequestException || (exception is OperationCanceledException && !cancellationToken.IsCancellationRequested);

    // The bridge authenticates before it reads the body: a body that a pinned format rejects was authenticated.
    private static Finding Evaluate(Uri address, string realm, HttpStatusCode status) => status switch
    {
        HttpStatusCode.NoContent or HttpStatusCode.BadRequest =>
            Finding.Ok($"the bridge at {address.AbsoluteUri} accepts what is signed with this configuration's secret"),
        HttpStatusCode.Unauthorized => Finding.Fail(
            $"the bridge at {address.AbsoluteUri} refused what is signed with this configuration's secret",
            "restart it with the same WebhookSecrets and WebhookAuthentication"),
        HttpStatusCode.NotFound => Finding.Fail(
            $"what listens at {address.AbsoluteUri} is no bridge, or one that realm '{realm}' is not configured for",
            "correct Intake:Webhook:Url, or restart it with the same realms"),
        _ => Finding.Fail($"{address.AbsoluteUri} answered {(int)status}", "see that Intake:Webhook:Url leads to the bridge itself"),
    };

    private HttpRequestMessage Request(Uri address, RealmOptions realm, string secret)
    {
        // A custom event of Phase Two's plugin: it concerns no user, so nothing is stored.
        var body = Encoding.UTF8.GetBytes(new JsonObject { ["type"] = "system.DOCTOR", ["realmName"] = realm.Name }.ToJsonString());
        var request = new HttpRequestMessage(HttpMethod.Post, address) { Content = new ByteArrayContent(body) };
        request.Content.Headers.ContentType = new MediaTypeHeaderValue("application/json");
        foreach (var (name, value) in Authentication(realm.WebhookAuthentication, secret, body))
            request.Headers.TryAddWithoutValidation(name, value);
        return request;
    }

    private (string Name, string Value)[] Authentication(WebhookAuthentication scheme, string secret, byte[] body)
    {
        var key = Encoding.UTF8.GetBytes(secret);
        return scheme switch
        {
            WebhookAuthentication.HmacSha1 => [(HmacSignature.Header, Hex(HashAlgorithmName.SHA1))],
            WebhookAuthentication.Basic => [(BasicCredentials.Header, $"Basic {Convert.ToBase64String(key)}")],
            WebhookAuthentication.SharedHeader => [(SharedSecret.Header, secret)],
            WebhookAuthentication.StandardWebhooks => StandardWebhooks(secret, body),
            _ => [(HmacSignature.Header, Hex(HashAlgorithmName.SHA256))],
        };

        string Hex(HashAlgorithmName algorithm) => Convert.ToHexStringLower(CryptographicOperations.HmacData(algorithm, key, body));
    }

    private (string Name, string Value)[] StandardWebhooks(string secret, byte[] body)
    {
        var (id, time) = ($"doctor-{Guid.NewGuid():n}", clock.GetUtcNow().ToUnixTimeSeconds().ToString(CultureInfo.InvariantCulture));
        byte[] signed = [.. Encoding.UTF8.GetBytes($"{id}.{time}."), .. body];
        var signature = HMACSHA256.HashData(StandardWebhooksSignature.KeyOf(secret) ?? [], signed);
        return [
            ("webhook-id", id), ("webhook-timestamp", time), (StandardWebhooksSignature.Header, $"v1,{Convert.ToBase64String(signature)}")];
    }

    private Uri Address(string realm)
    {
        var configured = intake.Value.Webhook.Url is { Length: > 0 } url
            ? url
            : ListenAddresses.Local(ListenAddresses.Of(configuration)[0]);
        return new Uri(configured.TrimEnd('/') + RealmRequirements.WebhookPath(realm));
    }
}

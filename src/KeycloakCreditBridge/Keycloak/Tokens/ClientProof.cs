using System.Security.Cryptography;
using System.Text.Json;
using KeycloakCreditBridge.Keycloak.ClientKeys;
using Microsoft.Extensions.Options;

namespace KeycloakCreditBridge.Keycloak.Tokens;

/// <summary>What the bridge's client proves itself with at a token endpoint: its secret, or a statement signed with its key.</summary>
internal sealed class ClientProof(IHttpClientFactory clients, IOptions<KeycloakOptions> options, TimeProvider clock)
{
    private const string AssertionType = "urn:ietf:params:oauth:client-assertion-type:jwt-bearer";
    private const string RequestName = "GET discovery document";

    /// <summary>Fields of a token request. The key is read anew each time, so that a replaced file counts at once.</summary>
    /// <exception cref="KeycloakAuthenticationException">The key file cannot be used.</exception>
    /// <exception cref="KeycloakException">The realm did not say how it names itself.</exception>
    public async Task<IEnumerable<KeyValuePair<string, string>>> FieldsAsync(string realm, CancellationToken cancellationToken)
    {
        var settings = options.Value;
        if (settings.ClientAuthentication == ClientAuthentication.Secret)
            return [new("client_secret", settings.ClientSecretOf(realm))];
        var issuer = await IssuerAsync(realm, cancellationToken);
        using var key = Read(realm, settings);
        return
        [
            new("client_assertion_type", AssertionType),
            new("client_assertion", key.Assertion(settings.ClientIdOf(realm), issuer, clock.GetUtcNow())),
        ];
    }

    /// <summary>Differs when the client proves itself with something else.</summary>
    // By the content: a container platform replaces the folder, and the link to the file keeps its time.
    public string StampOf(string realm)
    {
        var settings = options.Value;
        if (settings.ClientAuthentication == ClientAuthentication.Secret)
            return settings.ClientSecretOf(realm);
        try
        {
            return Convert.ToHexStringLower(SHA256.HashData(File.ReadAllBytes(settings.PrivateKeyFile)));
        }
        catch (Exception exception) when (exception is IOException or UnauthorizedAccessException or ArgumentException)
        {
            return "";
        }
    }

    private static ClientKey Read(string realm, KeycloakOptions settings)
    {
        try
        {
            return ClientKey.Read(settings.PrivateKeyFile);
        }
        catch (ClientKeyException exception)
        {
            throw new KeycloakAuthenticationException(
                realm, $"{KeycloakOptions.Section}:PrivateKeyFile, {settings.PrivateKeyFile}, {exception.Message}.");
        }
    }

    // Not the configured address: behind a proxy the realm may have another name for itself, and takes no statement for this one.
    private async Task<string> IssuerAsync(string realm, CancellationToken cancellationToken)
    {
        var errors = new KeycloakErrors(realm, options.Value);
        using var client = clients.CreateClient(KeycloakOptions.HttpClientName);
        var address = options.Value.Address($"realms/{Uri.EscapeDataString(realm)}/.well-known/openid-configuration");
        using var response = await client.GetAsync(address, cancellationToken);
        var body = await response.Content.ReadAsByteArrayAsync(cancellationToken);
        if (!response.IsSuccessStatusCode)
        {
            throw KeycloakErrors.IsTransient(response.StatusCode)
                ? errors.Overloaded(RequestName, response.StatusCode, response.Headers.RetryAfter.DelayFrom(clock.GetUtcNow()))
                : TokenEndpoint.Refusal(errors, RequestName, response.StatusCode, ServerError.Read(body));
        }

        try
        {
            using var document = JsonDocument.Parse(body);
            return document.RootElement.GetProperty("issuer").GetString() is { Length: > 0 } issuer
                ? issuer
                : throw errors.Garbled(RequestName);
        }
        catch (Exception exception) when (exception is JsonException or InvalidOperationException or KeyNotFoundException)
        {
            throw errors.Garbled(RequestName);
        }
    }
}

using System.Net;
using System.Net.Http.Headers;
using System.Text;
using System.Text.Json.Serialization.Metadata;
using KeycloakCreditBridge.Keycloak.ClientKeys;
using KeycloakCreditBridge.Keycloak.Tokens;
using Microsoft.Extensions.Options;
using Polly;
using Polly.Timeout;

namespace KeycloakCreditBridge.Keycloak.Admin;

/// <summary>
/// The one way to Keycloak's Admin API. Sending, receiving all of the body and understanding it are one attempt, so that a page that
/// was cut off is fetched again like one that was refused. Only reads are repeated: a write that failed may have been made.
/// </summary>
internal sealed partial class AdminTransport(
    IHttpClientFactory clients, TokenSource tokens, PossessionProofs possession, IOptions<KeycloakOptions> options, TimeProvider clock,
    ILogger<AdminTransport> logger)
{
    private readonly ResiliencePipeline _reads =
        RetryPipeline.Build(options.Value.RequestTimeout, clock, (problem, delay) => LogRetry(logger, delay, problem?.Message));

    private readonly ResiliencePipeline _writes = RetryPipeline.Once(options.Value.RequestTimeout, clock);

    /// <summary>The JSON that the bridge's own client is answered.</summary>
    /// <exception cref="KeycloakException">There was none, after all attempts.</exception>
    public Task<T> ReadAsync<T>(string realm, AdminRequest request, JsonTypeInfo<T> type, CancellationToken cancellationToken) =>
        AskAsync(realm, request, response => response.Read(type), cancellationToken);

    /// <summary>What <paramref name="understand"/> makes of the answer to the bridge's own client.</summary>
    /// <exception cref="KeycloakException">There was no answer that could be understood, after all attempts.</exception>
    public Task<T> AskAsync<T>(
        string realm, AdminRequest request, Func<AdminResponse, T> understand, CancellationToken cancellationToken) =>
        AskAsync(realm, request, tokens, understand, cancellationToken);

    /// <summary>What <paramref name="understand"/> makes of the answer; it throws what <see cref="AdminResponse.Read"/> does.</summary>
    /// <param name="realm">The realm's name.</param>
    /// <param name="request">What is asked.</param>
    /// <param name="account">Whose token the request carries.</param>
    /// <param name="understand">Called once for each attempt.</param>
    /// <param name="cancellationToken">Ends the call.</param>
    public async Task<T> AskAsync<T>(
        string realm, AdminRequest request, IAdminAccount account, Func<AdminResponse, T> understand, CancellationToken cancellationToken)
    {
        var errors = new KeycloakErrors(realm, options.Value);
        try
        {
            return await (request.IsRead ? _reads : _writes).ExecuteAsync(
                async token => understand(await AttemptAsync(realm, request, account, errors, token)), cancellationToken);
        }
        catch (TimeoutRejectedException exception)
        {
            throw errors.TooSlow(request.ToString(), exception);
        }
    }

    /// <summary>The client that the bridge signs in as.</summary>
    public string ClientIdOf(string realm) => options.Value.ClientIdOf(realm);

    /// <summary>The error for a request that the bridge's client may not make, where Keycloak's answer does not say so itself.</summary>
    public Exception Forbidden(string realm, AdminRequest request) => tokens.Forbidden(realm, request.ToString(), request.Role);

    /// <summary>A token may end or be revoked before its time: the first 401 asks for a new one, the second is final.</summary>
    private async Task<AdminResponse> AttemptAsync(
        string realm, AdminRequest request, IAdminAccount account, KeycloakErrors errors, CancellationToken cancellationToken)
    {
        try
        {
            return await SendAsync(realm, request, account, errors, cancellationToken)
                ?? await SendAsync(realm, request, account, errors, cancellationToken)
                ?? throw (request.IsOfPlugin ? errors.PluginRefused(request.ToString()) : account.TokenRefused(realm));
        }
        catch (HttpRequestException exception)
        {
            throw errors.Unreachable(exception);
        }
    }

    /// <summary>The answer, or null when the token was not accepted.</summary>
    private async Task<AdminResponse?> SendAsync(
        string realm, AdminRequest request, IAdminAccount account, KeycloakErrors errors, CancellationToken cancellationToken)
    {
        var token = await account.GetAsync(realm, cancellationToken);
        using var message = new HttpRequestMessage(request.Method, options.Value.Address(request.PathIn(realm)));
        Authorize(message, token);
        message.Headers.Accept.Add(new MediaTypeWithQualityHeaderValue("application/json"));
        if (request.Body is { } json)
            message.Content = new StringContent(json.ToJsonString(), Encoding.UTF8, "application/json");

        using var client = clients.CreateClient(KeycloakOptions.HttpClientName);
        using var response = await client.SendAsync(message, HttpCompletionOption.ResponseHeadersRead, cancellationToken);
        if (response.StatusCode == HttpStatusCode.Unauthorized)
        {
            account.Invalidate(realm, token);
            return null;
        }

        var body = await response.Content.ReadAsByteArrayAsync(cancellationToken);
        var retryAfter = response.Headers.RetryAfter.DelayFrom(clock.GetUtcNow());
        return new AdminResponse(realm, request, account, errors, response.StatusCode, body, retryAfter);
    }

    private void Authorize(HttpRequestMessage message, string token)
    {
        var isBound = possession.Binds(token);
        message.Headers.Authorization = new AuthenticationHeaderValue(isBound ? PossessionProofs.Header : "Bearer", token);
        if (isBound)
            message.Headers.Add(PossessionProofs.Header, possession.For(message.Method, message.RequestUri!, token));
    }

    [LoggerMessage(EventId = 103, Level = LogLevel.Information, Message = "Keycloak is asked again in {Delay}: {Problem}")]
    private static partial void LogRetry(ILogger logger, TimeSpan delay, string? problem);
}

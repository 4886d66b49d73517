using System.Net;
using System.Net.Http.Headers;
using System.Text.Json.Serialization.Metadata;
using KeycloakCreditBridge.Keycloak.Tokens;
using Microsoft.Extensions.Options;
using Polly;
using Polly.Timeout;

namespace KeycloakCreditBridge.Keycloak.Admin;

/// <summary>
/// Asks the Admin API. Sending, receiving all of the body and understanding it are one attempt, so that a page that was cut off in the
/// middle is fetched again just like one that was refused.
/// </summary>
internal sealed partial class AdminTransport(
    IHttpClientFactory clients, TokenSource tokens, IOptions<KeycloakOptions> options, TimeProvider clock, ILogger<AdminTransport> logger)
{
    /// <summary>The named client that the module sets up.</summary>
    public const string ClientName = "keycloak";

    private readonly ResiliencePipeline _retries =
        RetryPipeline.Build(options.Value.RequestTimeout, clock, (problem, delay) => LogRetry(logger, delay, problem?.Message));

    /// <summary>The JSON that answers the question.</summary>
    /// <exception cref="KeycloakException">There was none, after all attempts.</exception>
    public Task<T> ReadAsync<T>(string realm, AdminRequest question, JsonTypeInfo<T> type, CancellationToken cancellationToken) =>
        AskAsync(realm, question, answer => answer.Read(type), cancellationToken);

    /// <summary>What <paramref name="understand"/> makes of the answer; it throws what <see cref="AdminResponse.Read"/> does.</summary>
    /// <exception cref="KeycloakException">There was no answer that could be understood, after all attempts.</exception>
    public async Task<T> AskAsync<T>(
        string realm, AdminRequest question, Func<AdminResponse, T> understand, CancellationToken cancellationToken)
    {
        var failure = new KeycloakErrors(realm, options.Value);
        try
        {
            return await _retries.ExecuteAsync(
                async token => understand(await AttemptAsync(realm, question, failure, token)), cancellationToken);
        }
        catch (TimeoutRejectedException exception)
        {
            throw failure.TooSlow(question.ToString(), exception);
        }
    }

    /// <summary>The client that the bridge signs in as.</summary>
    public string ClientIdOf(string realm) => options.Value.ClientIdOf(realm);

    /// <summary>What says that the client may not ask this, where Keycloak's answer does not say so itself.</summary>
    public KeycloakForbiddenException Forbidden(string realm, AdminRequest question) =>
        new KeycloakErrors(realm, options.Value).Forbidden(question.ToString(), question.Role);

    /// <summary>A token may end or be revoked before its time: the first 401 asks for a new one, the second is final.</summary>
    private async Task<AdminResponse> AttemptAsync(
        string realm, AdminRequest question, KeycloakErrors failure, CancellationToken cancellationToken)
    {
        try
        {
            return await SendAsync(realm, question, failure, cancellationToken)
                ?? await SendAsync(realm, question, failure, cancellationToken)
                ?? throw failure.TokenRefused();
        }
        catch (HttpRequestException exception)
        {
            throw failure.Unreachable(exception);
        }
    }

    /// <summary>The answer, or null when the token was not accepted.</summary>
    private async Task<AdminResponse?> SendAsync(
        string realm, AdminRequest question, KeycloakErrors failure, CancellationToken cancellationToken)
    {
        var token = await tokens.GetAsync(realm, cancellationToken);
        using var request = new HttpRequestMessage(
            HttpMethod.Get, options.Value.Address($"admin/realms/{Uri.EscapeDataString(realm)}/{question.Path}"));
        request.Headers.Authorization = new AuthenticationHeaderValue("Bearer", token);
        request.Headers.Accept.Add(new MediaTypeWithQualityHeaderValue("application/json"));

        using var client = clients.CreateClient(ClientName);
        using var response = await client.SendAsync(request, HttpCompletionOption.ResponseHeadersRead, cancellationToken);
        if (response.StatusCode == HttpStatusCode.Unauthorized)
        {
            tokens.Invalidate(realm, token);
            return null;
        }

        var body = await response.Content.ReadAsByteArrayAsync(cancellationToken);
        return new AdminResponse(question, failure, response.StatusCode, body, response.Headers.RetryAfter.DelayFrom(clock.GetUtcNow()));
    }

    [LoggerMessage(EventId = 103, Level = LogLevel.Information, Message = "Asking Keycloak again in {Delay}: {Problem}")]
    private static partial void LogRetry(ILogger logger, TimeSpan delay, string? problem);
}

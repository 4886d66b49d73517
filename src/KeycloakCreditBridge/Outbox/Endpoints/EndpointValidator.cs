using System.Net;
using System.Text.RegularExpressions;
using KeycloakCreditBridge.Brokers;
using Microsoft.Extensions.Options;

namespace KeycloakCreditBridge.Outbox.Endpoints;

/// <summary>Checks where events are sent to, and how they are signed.</summary>
internal sealed partial class EndpointValidator : IValidateOptions<OutboxOptions>
{
    public ValidateOptionsResult Validate(string? name, OutboxOptions options)
    {
        List<string> problems =
        [
            .. options.Endpoints.SelectMany(endpoint =>
                Problems(endpoint.Key, endpoint.Value).Select(problem => $"{OutboxOptions.Section}:Endpoints:{endpoint.Key}{problem}")),
        ];
        return problems.Count == 0 ? ValidateOptionsResult.Success : ValidateOptionsResult.Fail(problems);
    }

    private static IEnumerable<string> Problems(string name, EndpointOptions endpoint)
    {
        if (!Name().IsMatch(name))
            yield return ": give a name of 1 to 40 letters, digits and hyphens.";
        if (UrlProblem(endpoint) is { } wrong)
            yield return $":Url {wrong}";
        if (endpoint.IsBroker)
        {
            foreach (var problem in BrokerProblems(endpoint))
                yield return problem;
        }
        else if (SigningKey.Problem(endpoint.Secret) is { } secret)
        {
            yield return $":Secret {secret}";
        }

        if (endpoint.PreviousSecret.Length > 0 && SigningKey.Problem(endpoint.PreviousSecret) is { } previous)
            yield return $":PreviousSecret {previous}";
        foreach (var entry in endpoint.Types.Where(entry => !EventTypes.All.Any(type => EndpointOptions.Names(entry, type))))
            yield return $":Types has {entry}, which names no event: choose among {string.Join(", ", EventTypes.All)}.";
        if (endpoint.Batch is < 1 or > 500)
            yield return $":Batch is {endpoint.Batch}: choose 1 to 500.";
        if (endpoint.Concurrency is < 1 or > 64)
            yield return $":Concurrency is {endpoint.Concurrency}: choose 1 to 64.";
        if (endpoint.Timeout < TimeSpan.FromSeconds(1) || endpoint.Timeout > TimeSpan.FromMinutes(1))
            yield return $":Timeout is {endpoint.Timeout}: choose 00:00:01 to 00:01:00.";
    }

    private static IEnumerable<string> BrokerProblems(EndpointOptions endpoint)
    {
        if (string.IsNullOrWhiteSpace(endpoint.UserName))
            yield return ":UserName is empty: give the broker's user, whose permissions docs/events.md names.";
        if (string.IsNullOrWhiteSpace(endpoint.Password))
            yield return ":Password is empty: give the user's password, or the setting Password_FILE.";
        if (string.IsNullOrWhiteSpace(endpoint.Exchange))
            yield return ":Exchange is empty: give the broker's exchange that events are published to, such as credit-bridge.credits.";
        if (endpoint.Batch != 1)
            yield return $":Batch is {endpoint.Batch}: leave it at 1, as each message of a broker is one event.";
    }

    private static string? UrlProblem(EndpointOptions endpoint)
    {
        if (endpoint.IsBroker)
        {
            return BrokerAccount.UrlProblem(endpoint.Url) ?? (BrokerAccount.IsUnencrypted(endpoint.Url) && !endpoint.AllowHttp
                ? "is amqp, which is readable on the way: give an amqps address, or set AllowHttp to true."
                : null);
        }

        if (!Uri.TryCreate(endpoint.Url, UriKind.Absolute, out var url) || url.Scheme is not ("https" or "http") || url.Host.Length == 0)
            return "is no https address: give one such as https://crm.example.com/credits.";
        if (url.UserInfo.Length > 0 || url.Fragment.Length > 0)
            return "holds a user or a fragment: give the address alone; events prove themselves by their signature.";
        if (url.Scheme == "http" && !endpoint.AllowHttp)
            return "is http, which is readable on the way: give an https address, or set AllowHttp to true.";
        if (endpoint.AllowPrivate)
            return null;
        return url.IsLoopback || (IPAddress.TryParse(url.IdnHost.Trim('[', ']'), out var address) && !PublicAddress.Is(address))
            ? "is an address of this machine or network: give a public one, or set AllowPrivate to true."
            : null;
    }

    [GeneratedRegex("^[A-Za-z0-9-]{1,40}$")]
    private static partial Regex Name();
}

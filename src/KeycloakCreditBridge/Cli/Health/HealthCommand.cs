using System.CommandLine;
using KeycloakCreditBridge.Configuration;
using KeycloakCreditBridge.Hosting.Addresses;

namespace KeycloakCreditBridge.Cli.Health;

/// <summary>
/// Asks the bridge on this machine for its health, so that a container without shell and curl can check itself. Needs none of the settings
/// but the address.
/// </summary>
internal static class HealthCommand
{
    // Less than the time after which container platforms give a check up.
    private static readonly TimeSpan AnswerTimeout = TimeSpan.FromSeconds(8);

    private static readonly Option<bool> Live = new("--live")
    {
        Description = "Only whether the process answers, not whether PostgreSQL and Keycloak do.",
    };

    private static readonly Option<bool> Json = ResultSyntax.Json("answer");

    private static readonly Option<string?> Url = new("--url")
    {
        Description = "The bridge's address, if the settings do not name it.",
        HelpName = "URL",
        Validators =
        {
            result =>
            {
                if (result.Tokens.Count == 1 && !IsAddress(result.Tokens[0].Value))
                    result.AddError($"--url {result.Tokens[0].Value} is no address: write one such as http://127.0.0.1:8085.");
            },
        },
    };

    public static Command Command(CommandHost host)
    {
        var command = new Command("health", "Ask the running bridge whether it is ready: 0 when it is, 1 when it is not.")
        {
            Live, Url, Json,
        };
        command.SetAction((parsed, token) => RunAsync(
            Address(host, parsed), parsed.GetValue(Live) ? "health/live" : "health/ready", parsed.GetValue(Json), token));
        return command;
    }

    private static Uri Address(CommandHost host, ParseResult parsed)
    {
        if (parsed.GetValue(Url) is { } url)
            return new Uri(url);
        var addresses = ListenAddresses.Of(host.Configuration(host.Settings(parsed)));
        var address = ListenAddresses.Local(addresses.FirstOrDefault(IsHttp, addresses[0]));
        return IsAddress(address)
            ? new Uri(address)
            : throw new ConfigurationException([$"The bridge listens at {address}, which cannot be asked: add --url http://HOST:PORT."]);
    }

    private static async Task<int> RunAsync(Uri address, string path, bool json, CancellationToken cancellationToken)
    {
        var page = new Uri(address, path);
        using var handler = new SocketsHttpHandler { UseProxy = false };
        using var http = new HttpClient(handler) { Timeout = AnswerTimeout };
        try
        {
            using var answer = await http.GetAsync(page, cancellationToken);
            var text = await answer.Content.ReadAsStringAsync(cancellationToken);
            // The service answers in JSON always. Without the option an answer that is a problem stands where problems do.
            await (json || answer.IsSuccessStatusCode ? Console.Out : Console.Error).WriteLineAsync(Printable.Of(text));
            return answer.IsSuccessStatusCode ? ExitCode.Done : ExitCode.SomeFailed;
        }
        catch (Exception exception) when (
            exception is HttpRequestException || (exception is OperationCanceledException && !cancellationToken.IsCancellationRequested))
        {
            await Console.Error.WriteLineAsync($"No bridge answers at {page}: {Printable.Of(exception.GetBaseException().Message)}");
            return ExitCode.SomeFailed;
        }
    }

    private static bool IsHttp(string address) => address.StartsWith("http://", StringComparison.OrdinalIgnoreCase);

    private static bool IsAddress(string url) =>
        Uri.TryCreate(url, UriKind.Absolute, out var address) && address is { Scheme: "http" or "https", Host: not "unix" };
}

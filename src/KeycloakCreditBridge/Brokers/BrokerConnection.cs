using System.Security.Authentication;
using RabbitMQ.Client;
using RabbitMQ.Client.Exceptions;

namespace KeycloakCreditBridge.Brokers;

/// <summary>Connects to the broker, and says in the operator's words why that fails.</summary>
internal static class BrokerConnection
{
    private static readonly TimeSpan Timeout = TimeSpan.FromSeconds(10);

    /// <param name="account">The address, the user and its password.</param>
    /// <param name="purpose">What the broker's own page shows of the connection.</param>
    /// <param name="cancellationToken">Ends the attempt.</param>
    /// <exception cref="BrokerUnreachableException">See <see cref="Describe"/>.</exception>
    public static Task<IConnection> OpenAsync(BrokerAccount account, string purpose, CancellationToken cancellationToken)
    {
        var url = new Uri(account.Url);
        var factory = new ConnectionFactory
        {
            Uri = url,
            UserName = account.UserName,
            Password = account.Password,
            // A consumer that was connected again by the library would acknowledge tags of the old channel.
            AutomaticRecoveryEnabled = false,
            TopologyRecoveryEnabled = false,
            RequestedConnectionTimeout = Timeout,
            ContinuationTimeout = Timeout,
            ClientProvidedName = $"credit-bridge {purpose} {Environment.MachineName}",
        };
        factory.Ssl.ServerName = url.Host;
        return factory.CreateConnectionAsync(cancellationToken);
    }

    /// <summary>What failed, and the remedy.</summary>
    public static string Describe(Exception exception, BrokerAccount account) => exception switch
    {
        BrokerUnreachableException { InnerException: { } inner } => DescribeRefusal(inner, account),
        OperationInterruptedException { ShutdownReason: { } reason } => DescribeReason(reason.ReplyCode, reason.ReplyText, account),
        OperationCanceledException =>
            $"the broker did not answer within {Timeout.TotalSeconds:0} s: check its log for queues without a leader, its "
            + "disk and its load",
        _ => exception.Message.ReplaceLineEndings(" "),
    };

    private static string DescribeRefusal(Exception exception, BrokerAccount account) => exception switch
    {
        AggregateException { InnerExceptions: [var first, ..] } => DescribeRefusal(first, account),
        AuthenticationFailureException or PossibleAuthenticationFailureException =>
            $"the broker refuses the user '{account.UserName}': check {account.Section}:UserName and Password",
        AuthenticationException =>
            $"the broker's certificate is not trusted ({exception.Message.ReplaceLineEndings(" ")}): give its authority by SSL_CERT_FILE, "
            + $"and the name that it is for in {account.Section}:Url",
        OperationInterruptedException => Describe(exception, account),
        _ => $"the broker cannot be reached at {new Uri(account.Url).Authority} ({exception.Message.ReplaceLineEndings(" ")}): check "
            + $"{account.Section}:Url and the network",
    };

    private static string DescribeReason(int code, string text, BrokerAccount account) => code switch
    {
        403 => $"{text}: grant the user '{account.UserName}' what {account.Page} lists under permissions",
        404 when text.Contains("exchange", StringComparison.Ordinal) =>
            $"{text}: give an exchange that is there as {account.Section}:Exchange, or make it",
        404 => $"{text}: make the queue, or set {account.Section}:Declare to true",
        406 => $"{text}: the queue was made with other arguments; delete it, or set {account.Section}:Declare to false",
        530 => $"{text}: give an existing virtual host in {account.Section}:Url and grant the user access to it",
        _ => text,
    };
}

/// <summary>Where a broker is, and the user to sign in as.</summary>
/// <param name="Url">amqps://host:5671/virtual-host, or amqp.</param>
/// <param name="Section">The section of the settings that this is of.</param>
/// <param name="Page">The page that lists the user's permissions.</param>
internal sealed record BrokerAccount(string Url, string UserName, string Password, string Section, string Page)
{
    /// <summary>What is wrong with an address, with its cure; null when it can be used.</summary>
    public static string? UrlProblem(string url)
    {
        if (!Uri.TryCreate(url, UriKind.Absolute, out var address) || address.Scheme is not ("amqp" or "amqps") || address.Host.Length == 0
            || address.Query.Length > 0 || address.Segments.Length > 2)
        {
            return "is no amqp or amqps address: give one such as amqps://rabbit.example.com:5671/keycloak.";
        }

        return address.UserInfo.Length > 0 ? "holds a user: give it as UserName and Password." : null;
    }

    /// <summary>Whether what is sent leaves the machine as plain text.</summary>
    public static bool IsUnencrypted(string url) =>
        Uri.TryCreate(url, UriKind.Absolute, out var address) && address is { Scheme: "amqp", IsLoopback: false };
}

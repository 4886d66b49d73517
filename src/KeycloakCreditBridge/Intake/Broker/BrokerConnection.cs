using System.Security.Authentication;
using RabbitMQ.Client;
using RabbitMQ.Client.Exceptions;

namespace KeycloakCreditBridge.Intake.Broker;

/// <summary>Connects to the broker, and says in the operator's words why that fails.</summary>
internal static class BrokerConnection
{
    private static readonly TimeSpan Timeout = TimeSpan.FromSeconds(10);

    /// <param name="options">The address, the user and its password.</param>
    /// <param name="purpose">What the broker's own page shows of the connection.</param>
    /// <param name="cancellationToken">Ends the attempt.</param>
    /// <exception cref="BrokerUnreachableException">See <see cref="Describe"/>.</exception>
    public static Task<IConnection> OpenAsync(BrokerOptions options, string purpose, CancellationToken cancellationToken)
    {
        var url = new Uri(options.Url);
        var factory = new ConnectionFactory
        {
            Uri = url,
            UserName = options.UserName,
            Password = options.Password,
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
    public static string Describe(Exception exception, BrokerOptions options) => exception switch
    {
        BrokerUnreachableException { InnerException: { } inner } => DescribeRefusal(inner, options),
        OperationInterruptedException { ShutdownReason: { } reason } => DescribeReason(reason.ReplyCode, reason.ReplyText, options),
        OperationCanceledException =>
            $"the broker did not answer within {Timeout.TotalSeconds:0} s: check its log for queues without a leader, its "
            + "disk and its load",
        _ => exception.Message.ReplaceLineEndings(" "),
    };

    private static string DescribeRefusal(Exception exception, BrokerOptions options) => exception switch
    {
        AggregateException { InnerExceptions: [var first, ..] } => DescribeRefusal(first, options),
        AuthenticationFailureException or PossibleAuthenticationFailureException =>
            $"the broker refuses the user '{options.UserName}': check {IntakeOptions.Section}:Broker:UserName and Password",
        AuthenticationException =>
            $"the broker's certificate is not trusted ({exception.Message.ReplaceLineEndings(" ")}): give its authority by SSL_CERT_FILE, "
            + "and the name that it is for in Intake:Broker:Url",
        OperationInterruptedException => Describe(exception, options),
        _ => $"the broker cannot be reached at {new Uri(options.Url).Authority} ({exception.Message.ReplaceLineEndings(" ")}): check "
            + "Intake:Broker:Url and the network",
    };

    private static string DescribeReason(int code, string text, BrokerOptions options) => code switch
    {
        403 => $"{text}: grant the user '{options.UserName}' what docs/rabbitmq.md lists under permissions",
        404 when text.Contains("exchange", StringComparison.Ordinal) =>
            $"{text}: give the plugin's exchange as {IntakeOptions.Section}:Broker:Exchange, or make it",
        404 => $"{text}: make the queue, or set {IntakeOptions.Section}:Broker:Declare to true",
        406 => $"{text}: the queue was made with other arguments; delete it, or set {IntakeOptions.Section}:Broker:Declare to false",
        530 => $"{text}: give an existing virtual host in {IntakeOptions.Section}:Broker:Url and grant the user access to it",
        _ => text,
    };
}

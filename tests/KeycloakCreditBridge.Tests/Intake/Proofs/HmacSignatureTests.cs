using System.Text;
using KeycloakCreditBridge.Intake;
using KeycloakCreditBridge.Intake.Proofs;
using Microsoft.Extensions.Primitives;

namespace KeycloakCreditBridge.Tests.Intake.Proofs;

public sealed class HmacSignatureTests
{
    private const string Vector = "24d06b6fece44aba3383aab6c25d74f068e2205b74a9ed0dc7cadf6526f5c1c4";

    private static readonly byte[] Body = Encoding.UTF8.GetBytes("""{"id":"11111111-1111-1111-1111-111111111111","type":"access.REGISTER"}""");

    [Fact]
    public void Every_recorded_delivery_verifies()
    {
        var recorded = Deliveries.Recorded();
        Assert.Equal(62, recorded.Count);
        Assert.All(recorded, sent => Assert.Equal(SignatureVerdict.Valid, HmacSignature.Check(sent.Signature, sent.Body, [Deliveries.Secret])));
    }

    [Theory]
    [InlineData("qlfwemke")]
    [InlineData("the-new-one", "qlfwemke")]
    [InlineData("qlfwemke", "the-new-one")]
    public void Any_secret_that_is_valid_now_proves_a_body(params string[] secrets) =>
        Assert.Equal(SignatureVerdict.Valid, HmacSignature.Check(Vector, Body, secrets));

    [Theory]
    [InlineData("", SignatureVerdict.Empty)]
    [InlineData("24d06b", SignatureVerdict.Malformed)]
    [InlineData(Vector + "00", SignatureVerdict.Malformed)]
    [InlineData("sha256=" + Vector, SignatureVerdict.Malformed)]
    [InlineData(Vector + "," + Vector, SignatureVerdict.Malformed)]
    [InlineData("xyd06b6fece44aba3383aab6c25d74f068e2205b74a9ed0dc7cadf6526f5c1c4", SignatureVerdict.Malformed)]
    [InlineData("34d06b6fece44aba3383aab6c25d74f068e2205b74a9ed0dc7cadf6526f5c1c4", SignatureVerdict.Wrong)]
    public void Another_signature_proves_nothing(string signature, object verdict) =>
        Assert.Equal(verdict, HmacSignature.Check(signature, Body, ["qlfwemke"]));

    [Fact]
    public void A_missing_or_doubled_signature_proves_nothing()
    {
        Assert.Equal(SignatureVerdict.Missing, HmacSignature.Check(StringValues.Empty, Body, ["qlfwemke"]));
        Assert.Equal(SignatureVerdict.Doubled, HmacSignature.Check(new StringValues([Vector, Vector]), Body, ["qlfwemke"]));
    }

    [Fact]
    public void A_changed_body_or_no_secret_proves_nothing()
    {
        Assert.Equal(SignatureVerdict.Wrong, HmacSignature.Check(Vector, [.. Body, (byte)' '], ["qlfwemke"]));
        Assert.Equal(SignatureVerdict.Wrong, HmacSignature.Check(Vector, Body, []));
    }
}
